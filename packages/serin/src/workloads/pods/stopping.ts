import type { Container, LifecycleHandler } from '../../resources/kubernetes/types.ts'
import { PRESTOP_EXTRA_MS, TIMER_MS_MAX } from '../limits.ts'
import type { RunningContainer } from '../runtimes/runtime.ts'
import { ask, type ProbeOutcome, type ProbeTarget } from './probe.ts'

/** How a program is stopped: `preStop`, the stop signal, and when its time is over the end. Source: Kubernetes, "Termination of Pods". */

/** The time left is asked again and again, for a grace period can be shortened. */
const GRACE_CHECK_MS = 500

export interface Stopping {
  readonly container: Container
  readonly running: RunningContainer
  readonly target: ProbeTarget
  readonly leftMs: () => number
  readonly onHookFailure: (message: string) => void
}

/** Resolves when the program has ended. */
export async function stopProgram({ container, running, target, leftMs, onHookFailure }: Stopping): Promise<void> {
  const { preStop, stopSignal = 'SIGTERM' } = container.lifecycle ?? {}
  let extraMs = 0
  if (preStop !== undefined && leftMs() > 0) {
    const { ok, message } = await runPreStop(preStop, { running, target, leftMs })
    if (!ok) onHookFailure(message)
    extraMs = leftMs() <= 0 ? PRESTOP_EXTRA_MS : 0
  }
  const end = Date.now() + extraMs
  const left = (): number => Math.max(leftMs(), end - Date.now())
  // The API has checked that it is a signal's name.
  if (left() > 0) running.signal(stopSignal as NodeJS.Signals)
  if (await exitsWithin(running, left)) return
  running.signal('SIGKILL')
  await running.exited
}

async function runPreStop(
  hook: LifecycleHandler,
  { running, target, leftMs }: Pick<Stopping, 'running' | 'target' | 'leftMs'>,
): Promise<ProbeOutcome> {
  if (hook.sleep === undefined) return ask(hook, target, leftMs())
  await Promise.race([running.exited, pause(Math.min(hook.sleep.seconds * 1000, leftMs()))])
  return { ok: true, message: '' }
}

async function exitsWithin(running: RunningContainer, leftMs: () => number): Promise<boolean> {
  const exited = running.exited.then(() => true)
  while (leftMs() > 0) {
    if (await Promise.race([exited, pause(Math.min(GRACE_CHECK_MS, leftMs())).then(() => false)])) return true
  }
  return false
}

/** Ends early, without an error, when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX))
    signal?.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}
