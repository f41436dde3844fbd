import type { Duplex, Readable, Writable } from 'node:stream'
import type { KubeObject } from '../../resources/object.ts'

/**
 * What people ask of a running pod, beside its object: its log, a command inside it, a connection to it, what it uses.
 * The API serves these; a method throws a StoreError (`NotFound`, `BadRequest`) that can be sent as it is.
 */
export interface PodAccess {
  /** The container's output, oldest first; with `follow` it ends when the container does or the consumer stops. */
  log(pod: KubeObject, options: LogOptions): AsyncIterable<Uint8Array>
  exec(pod: KubeObject, options: ExecOptions): Promise<ExecSession>
  /** A connection to a port of the pod, named as in its spec; half of it can be closed. */
  connect(pod: KubeObject, containerPort: number): Promise<Duplex>
  /** Where that port is reached on this machine: `127.0.0.1:23456`. Without a port: the pod's first. */
  addressOf(pod: KubeObject, containerPort: number | undefined): string | undefined
}

export interface LogOptions {
  readonly container: string
  /** Goes on with what is written later, until the consumer stops or the container has ended. */
  readonly follow: boolean
  /** The log of the container before its last restart. */
  readonly previous: boolean
  /** Every line begins with its RFC 3339 time. */
  readonly timestamps: boolean
  readonly tailLines?: number
  readonly limitBytes?: number
  /** Only what was written since. */
  readonly since?: Date
}

export interface ExecOptions {
  readonly container: string
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly tty: boolean
}

export interface ExecSession {
  readonly stdin?: Writable
  readonly stdout: Readable
  /** Absent with a terminal, where both come in one. */
  readonly stderr?: Readable
  /** The exit code, once the output is at its end; 128 + the signal's number when one ended it. Never rejects. */
  readonly exit: Promise<number>
  resize?(columns: number, rows: number): void
  kill(): void
}

/** What pods use, measured every few seconds. */
export interface UsageAccess {
  /** Per container; undefined when nothing is known of the pod (yet). */
  pod(pod: KubeObject): readonly ContainerUsage[] | undefined
  /** This machine. */
  node(): Usage
}

export interface ContainerUsage {
  readonly name: string
  readonly usage: Usage
}

interface Usage {
  /** Of one core: 0.25 is 250m. */
  readonly cpuCores: number
  readonly memoryBytes: number
}
