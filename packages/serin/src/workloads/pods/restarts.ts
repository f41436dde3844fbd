import { BACKOFF_MS_MAX, BACKOFF_MS_MIN, BACKOFF_RESET_MS, MISSING_MS_MAX, MISSING_MS_MIN } from '../limits.ts'

/** When a container that ended is started again. Pure. Source: Kubernetes, "Container restart policy". */

export type Role =
  /** Runs to its end before the next. */
  | 'init'
  /** An init container with `restartPolicy: Always`: goes on running beside the others. */
  | 'sidecar'
  | 'main'

export function isRestarted(role: Role, policy: string, exitCode: number): boolean {
  if (role === 'sidecar') return true
  if (role === 'init') return exitCode !== 0 && policy !== 'Never'
  if (policy === 'Always') return true
  return policy === 'OnFailure' && exitCode !== 0
}

/** `failures`: ends in a row without a long run between them. The first restart is at once. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (failures - 2))
}

/** A container that ran long enough has a clean slate. */
export function failuresAfter(failures: number, ranMs: number): number {
  return ranMs >= BACKOFF_RESET_MS ? 1 : failures + 1
}

/** For what was missing: an image, a ConfigMap. */
export function missingDelayMs(attempts: number): number {
  return Math.min(MISSING_MS_MAX, MISSING_MS_MIN * 2 ** Math.max(0, attempts - 1))
}

/** What a termination is called. */
export function terminationReason(exitCode: number): string {
  return exitCode === 0 ? 'Completed' : 'Error'
}
