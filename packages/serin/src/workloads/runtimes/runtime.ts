import type { Readable } from 'node:stream'
import type { ExecOptions, ExecSession, LogOptions } from '../pods/access.ts'

/**
 * What the kubelet's part needs from whatever runs programs. Two makers, one contract suite: `process.ts` (process groups of
 * this machine) and `container.ts` (podman or docker by their command line).
 */
export interface Runtime {
  /** Stands before the id in `containerID`, as `process://1234`. */
  readonly scheme: string
  /** Resolves when the program runs. Throws StartError. */
  start(spec: ContainerSpec): Promise<RunningContainer>
  /** A container that an earlier control process started, from what it left on disk; undefined when it is not running any more. */
  adopt(record: ContainerRecord): Promise<RunningContainer | undefined>
  /** Ends whatever still runs of a pod, known or not. */
  sweep(podUid: string): Promise<void>
  /** Ends whatever runs of any pod of this data directory but these: what was started without being written down, pods that are gone. */
  endStrays(keep: readonly ContainerRecord[]): Promise<void>
  /** The log of one life of a container, where the runtime keeps it; absent: the file that the spec named. */
  log?(place: ContainerPlace, options: Omit<LogOptions, 'container' | 'previous'>): AsyncIterable<Uint8Array>
}

/** One life of one container. */
export interface ContainerPlace {
  readonly podUid: string
  /** Of the container. */
  readonly name: string
  /** How often it was started before. */
  readonly attempt: number
}

/** All that is needed to start one container, once. */
export interface ContainerSpec extends ContainerPlace {
  readonly namespace: string
  readonly podName: string
  readonly launch: Launch
  /** Complete: nothing of this process's own environment is added. */
  readonly environment: Readonly<Record<string, string>>
  /** Where its output goes, appended. */
  readonly logFile: string
  readonly user?: { readonly uid: number; readonly gid?: number }
  /** Its container ports and where they are reached on 127.0.0.1. */
  readonly ports: readonly { readonly containerPort: number; readonly port: number }[]
  readonly mounts: readonly Mount[]
  readonly limits: { readonly memoryBytes?: number; readonly cpuMillicores?: number }
}

export interface Mount {
  /** On this machine. */
  readonly source: string
  /** As the container sees it. */
  readonly target: string
  readonly readOnly: boolean
}

/** How an image is started. */
export type Launch =
  | {
      readonly type: 'process'
      readonly argv: readonly string[]
      readonly directory: string
      /** Said in containerStatuses. */
      readonly imageId: string
    }
  | {
      readonly type: 'container'
      readonly image: string
      /** Kubernetes' `command` and `args`: they replace ENTRYPOINT and CMD. */
      readonly command?: readonly string[]
      readonly args?: readonly string[]
      readonly workingDir?: string
      readonly imageId: string
    }

export interface RunningContainer {
  /** Without the scheme. */
  readonly id: string
  /** What `adopt` needs, to be kept on disk. */
  readonly record: ContainerRecord
  /** Resolves when the program has ended and nothing of it is left. Never rejects. */
  readonly exited: Promise<Exit>
  /** To the program and all it started. Does nothing when it has ended. */
  signal(signal: NodeJS.Signals): void
  exec(options: Omit<ExecOptions, 'container'>): Promise<ExecSession>
  /** Since its start; undefined when it cannot be told. */
  usage(): Promise<Consumption | undefined>
}

export interface Exit {
  readonly exitCode: number
  readonly signal?: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** As `OOMKilled`; absent: worked out from the code. */
  readonly reason?: string
  readonly message?: string
}

export interface Consumption {
  /** Processor time since the start. */
  readonly cpuMs: number
  readonly memoryBytes: number
}

/** JSON that a runtime wrote; only the runtime with this scheme reads it. */
export interface ContainerRecord {
  readonly scheme: string
  readonly [field: string]: unknown
}

export type StartFailure =
  | 'ErrImagePull'
  | 'InvalidImageName'
  | 'CreateContainerConfigError'
  | 'CreateContainerError'
  | 'RunContainerError'

/** A program that could not be started; `reason` is what the container waits with. */
export class StartError extends Error {
  readonly reason: StartFailure

  constructor(reason: StartFailure, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StartError'
    this.reason = reason
  }
}

/** Reads a stream to its end as text, up to a bound. */
export async function textOf(stream: Readable, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (bytes < bytesMax) chunks.push(chunk.subarray(0, bytesMax - bytes))
    bytes += chunk.length
  }
  return Buffer.concat(chunks).toString('utf8')
}
