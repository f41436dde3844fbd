import { cpus, freemem, totalmem } from 'node:os'
import { USAGE_SAMPLE_MS } from '../limits.ts'
import type { ContainerUsage, UsageAccess } from './access.ts'
import type { PodWorker } from './pod.ts'

/** What pods use of this machine: processor time is a difference between two looks, some seconds apart. */

interface Sample {
  readonly at: number
  readonly cpuMs: number
}

export interface UsageMeter extends UsageAccess {
  stop(): void
}

export function startUsageMeter(workers: ReadonlyMap<string, PodWorker>): UsageMeter {
  return new Meter(workers)
}

class Meter implements UsageMeter {
  private readonly workers: ReadonlyMap<string, PodWorker>
  private readonly timer: NodeJS.Timeout
  private samples: ReadonlyMap<string, Sample> = new Map()
  private known: ReadonlyMap<string, readonly ContainerUsage[]> = new Map()
  private machine: Sample = machineTime()
  private machineCores = 0

  constructor(workers: ReadonlyMap<string, PodWorker>) {
    this.workers = workers
    this.timer = setInterval(() => void this.look(), USAGE_SAMPLE_MS)
    this.timer.unref()
  }

  pod: UsageAccess['pod'] = (pod) => this.known.get(pod.metadata.uid ?? '')

  node: UsageAccess['node'] = () => ({ cpuCores: this.machineCores, memoryBytes: totalmem() - freemem() })

  stop(): void {
    clearInterval(this.timer)
  }

  private async look(): Promise<void> {
    const samples = new Map<string, Sample>()
    const known = new Map<string, readonly ContainerUsage[]>()
    for (const worker of this.workers.values()) {
      const containers = await this.measure(worker, samples)
      if (containers.length > 0) known.set(worker.uid, containers)
    }
    this.samples = samples
    this.known = known
    const machine = machineTime()
    this.machineCores = (machine.cpuMs - this.machine.cpuMs) / Math.max(1, machine.at - this.machine.at)
    this.machine = machine
  }

  private async measure(worker: PodWorker, samples: Map<string, Sample>): Promise<readonly ContainerUsage[]> {
    const containers: ContainerUsage[] = []
    for (const { container, program } of worker.programs()) {
      const consumption = await program.usage()
      if (consumption === undefined) continue
      const id = `${worker.uid}/${container}/${program.id}`
      const at = Date.now()
      const before = this.samples.get(id) ?? { at: startOf(worker, container) ?? at, cpuMs: 0 }
      samples.set(id, { at, cpuMs: consumption.cpuMs })
      const cpuCores = (consumption.cpuMs - before.cpuMs) / Math.max(1, at - before.at)
      containers.push({ name: container, usage: { cpuCores, memoryBytes: consumption.memoryBytes } })
    }
    return containers
  }
}

function startOf(worker: PodWorker, container: string): number | undefined {
  const phase = worker.worker(container)?.view.phase
  return phase?.name === 'running' ? phase.startedAt : undefined
}

function machineTime(): Sample {
  const cpuMs = cpus().reduce((total, { times }) => total + times.user + times.nice + times.sys + times.irq, 0)
  return { at: Date.now(), cpuMs }
}
