import type { Duplex, Readable, Writable } from 'node:stream'
import type { ObjectKey } from '../../store/store.ts'

/**
 * What people ask of a running pod, beside its object: its log, a command inside it, a connection to it, what it uses.
 * The API serves these; every method throws a StoreError (`NotFound`, `BadRequest`) that can be sent as it is.
 */
export interface PodAccess {
  /** The container's output, oldest first; with `follow` it ends when the container does or the signal aborts. */
  logs(pod: ObjectKey, options: LogOptions): Promise<Readable>
  exec(pod: ObjectKey, options: ExecOptions): Promise<ExecSession>
  /** A connection to a port of the pod, named as in its spec; it is a socket with `allowHalfOpen`. */
  portForward(pod: ObjectKey, containerPort: number): Promise<Duplex>
  /** The present use of every running pod. */
  usage(): Promise<readonly PodUsage[]>
}

export interface LogOptions {
  /** Absent: the only one; with several, BadRequest that names them. */
  readonly container?: string
  readonly follow?: boolean
  /** The log of the container before its last restart. */
  readonly previous?: boolean
  readonly tailLines?: number
  readonly limitBytes?: number
  /** Milliseconds since 1970. */
  readonly since?: number
  readonly timestamps?: boolean
  readonly signal?: AbortSignal
}

export interface ExecOptions {
  readonly container?: string
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly tty: boolean
}

export interface ExecSession {
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  /** Absent with a terminal, where both come in one. */
  readonly stderr: Readable | undefined
  /** The exit code; 128 + the signal's number when one ended it. Never rejects. */
  readonly exited: Promise<number>
  resize(size: { readonly columns: number; readonly rows: number }): void
  kill(): void
}

export interface PodUsage {
  readonly namespace: string
  readonly name: string
  /** Milliseconds since 1970, and the span the processor time was measured over. */
  readonly at: number
  readonly windowMs: number
  readonly containers: readonly ContainerUsage[]
}

export interface ContainerUsage {
  readonly name: string
  /** Thousandths of a processor. */
  readonly cpuMillicores: number
  readonly memoryBytes: number
}
