/** `serin version`. */
import { type Invocation, usageError } from './command.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { VERSION } from '../version.ts'

export function version(invocation: Invocation): Promise<number> {
  const format = invocation.string('output') ?? 'text'
  const facts = { serin: VERSION, node: process.versions.node, platform: `${process.platform}/${process.arch}` }
  if (format === 'json') print(JSON.stringify(facts))
  else if (format === 'text') print(`serin ${facts.serin} (Node ${facts.node}, ${facts.platform})`)
  else throw usageError(invocation.command, `-o takes text or json, not "${format}"`)
  return Promise.resolve(EXIT.done)
}
