/** Which process it is, for a lock that outlives its holder: a pid alone may have been given to a stranger since. */
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks after boot and the boot's id (Linux); empty elsewhere, where the pid alone has to do. */
  readonly started: string
}

export function myself(): ProcessIdentity {
  return identityOf(process.pid)
}

/** Of a process that is there now; `started` is empty when it is not. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) }
}

export function isAlive({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return startOf(pid) === started
}

function startOf(pid: number): string {
  try {
    // The name in parentheses may hold blanks; the start time is field 22 of proc_pid_stat(5), the 20th after it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return ''
  }
}
