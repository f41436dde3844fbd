/** The real kubectl, where there is one. */
import { findKubectl } from '../../src/cli/kubectl.ts'
import { type Outcome, runProgram, serin } from './serin.ts'

/** Undefined where there is none; then the tests use serin's own verbs, except where CI is set. */
export const kubectl: string | undefined = await findKubectl()

if (kubectl === undefined && process.env['CI'] !== undefined)
  throw new Error('CI is set and there is no kubectl 1.30 or newer')
if (kubectl === undefined)
  console.log('left out: the real kubectl (none in PATH that is 1.30 or newer); serin’s own verbs are tested alone')

/** Runs words such as `get pods` with kubectl, or with serin's verb of the same name. */
export function steer(tool: 'kubectl' | 'serin', kubeconfig: string, words: readonly string[]): Promise<Outcome> {
  const args = [...words, '--kubeconfig', kubeconfig]
  if (tool === 'serin') return serin(args)
  return runProgram(kubectl!, args, { env: { ...process.env, HOME: '/nonexistent' } })
}
