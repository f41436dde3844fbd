import type { EndpointGate } from '../endpoint-gate.ts'
import type { EventRecorder } from '../events.ts'
import type { ImageSource } from '../images.ts'
import type { Log, Room } from '../room.ts'
import type { ContainerRecord, Launch, RunningContainer, Runtime } from '../runtimes/runtime.ts'
import type { PortAllocator } from './ports.ts'

/** What every pod of this machine needs. */
export interface KubeletContext {
  readonly room: Room
  readonly directory: string
  readonly runtimes: Runtimes
  readonly images: ImageSource
  readonly ports: PortAllocator
  readonly gate: EndpointGate
  readonly events: EventRecorder
  readonly nodeName: string
  readonly hostIP: string
  readonly podIP: string
  readonly log: Log
}

/** The runtimes that are in use, by what they start. */
export interface Runtimes {
  for(launch: Launch): Runtime | undefined
  adopt(record: ContainerRecord): Promise<RunningContainer | undefined>
  sweep(podUid: string): Promise<void>
  /** The runtime whose `scheme` a containerID begins with. */
  of(containerId: string): Runtime | undefined
  endStrays(keep: readonly ContainerRecord[]): Promise<void>
}

export function joinRuntimes(runtimes: Partial<Record<Launch['type'], Runtime>>): Runtimes {
  const all = Object.values(runtimes)
  return {
    for: (launch) => runtimes[launch.type],
    adopt: async (record) => all.find(({ scheme }) => scheme === record.scheme)?.adopt(record),
    sweep: async (podUid) => {
      await Promise.all(all.map((runtime) => runtime.sweep(podUid)))
    },
    of: (containerId) => all.find(({ scheme }) => containerId.startsWith(`${scheme}://`)),
    endStrays: async (keep) => {
      await Promise.all(all.map((runtime) => runtime.endStrays(keep.filter(({ scheme }) => scheme === runtime.scheme))))
    },
  }
}
