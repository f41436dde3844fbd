import { Pod } from '../src/resources/kinds.ts'
import type { Condition, PodObject } from '../src/resources/kubernetes/types.ts'
import { createInformer, type Informer } from '../src/store/informer.ts'
import { StoreError, type Store } from '../src/store/store.ts'

/**
 * A stand-in for the kubelet, as the recordings had one: pods that run nothing and do what annotations of their template say
 * (conformance/kubernetes, "Pods in the cases").
 */
export class StandIn {
  private readonly store: Store
  private readonly informer: Informer<PodObject>
  private readonly seen = new Set<string>()
  private readonly leaving = new Set<string>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private nextIP = 1
  /** Writes under way, by namespace. */
  private readonly busy = new Map<string, number>()

  constructor(store: Store) {
    this.store = store
    this.informer = createInformer<PodObject>(store, Pod)
    this.informer.onChange(({ type, object }) => {
      if (type === 'DELETED') return
      if (object.metadata.deletionTimestamp !== undefined) this.stop(object)
      else this.start(object)
    })
  }

  get synced(): Promise<void> {
    return this.informer.synced
  }

  pods(namespace: string): readonly PodObject[] {
    return this.informer.list(namespace)
  }

  async setReady(pod: PodObject, ready: boolean): Promise<void> {
    await this.write(pod, ready)
  }

  /** All pods that are held at their end go. */
  async finish(namespace: string): Promise<void> {
    const held = this.pods(namespace).filter((pod) => pod.metadata.deletionTimestamp !== undefined)
    await Promise.all(held.map((pod) => this.remove(pod)))
  }

  isIdleIn(namespace: string): boolean {
    return (this.busy.get(namespace) ?? 0) === 0
  }

  end(): void {
    this.informer.stop()
    for (const timer of this.timers) clearTimeout(timer)
  }

  private start(pod: PodObject): void {
    const { uid = '' } = pod.metadata
    if (this.seen.has(uid)) return
    this.seen.add(uid)
    void this.run(pod)
  }

  private async run(pod: PodObject): Promise<void> {
    const bound = await this.quietly(
      pod,
      this.store.update<PodObject>(Pod, { ...pod, spec: { ...pod.spec, nodeName: 'node-1' } }),
    )
    if (bound === undefined) return
    const annotations = pod.metadata.annotations ?? {}
    const after = annotations['test/ready-after']
    const never = ['test/gate', 'test/never-ready', 'test/crash'].some((name) => annotations[name] === '1')
    await this.write(bound, !never && after === undefined)
    if (after !== undefined) this.later(Number(after) * 1000, () => this.write(bound, true))
  }

  private stop(pod: PodObject): void {
    const { uid = '', annotations = {}, deletionGracePeriodSeconds = 30 } = pod.metadata
    if (this.leaving.has(uid) || annotations['test/stop-gate'] === '1') return
    this.leaving.add(uid)
    const seconds = Math.min(Number(annotations['test/stop-after'] ?? 0), deletionGracePeriodSeconds)
    if (seconds === 0) void this.remove(pod)
    else this.later(seconds * 1000, () => this.remove(pod))
  }

  private later(ms: number, act: () => Promise<unknown>): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      void act()
    }, ms)
    this.timers.add(timer)
  }

  private remove(pod: PodObject): Promise<unknown> {
    const { namespace = '', name, uid = '' } = pod.metadata
    return this.quietly(
      pod,
      this.store.delete(Pod, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } }),
    )
  }

  private async write(pod: PodObject, ready: boolean): Promise<void> {
    const { namespace = '', name, annotations = {} } = pod.metadata
    const current = this.informer.get({ namespace, name })
    const crash = annotations['test/crash'] === '1'
    const [main] = pod.spec.containers
    const podIP = current?.status?.podIP ?? `10.0.${String(this.nextIP >> 8)}.${String(this.nextIP++ & 255)}`
    const status = {
      phase: 'Running',
      hostIP: '127.0.0.1',
      podIP,
      podIPs: [{ ip: podIP }],
      startTime: now(),
      conditions: ['Initialized', 'PodReadyToStartContainers', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (type): Condition => ({
          type,
          status: ready || !type.endsWith('Ready') ? 'True' : 'False',
          lastProbeTime: null,
          lastTransitionTime: now(),
        }),
      ),
      containerStatuses: [
        {
          name: main?.name ?? '',
          image: main?.image ?? '',
          imageID: '',
          ready,
          restartCount: crash ? 2 : 0,
          state: crash ? { waiting: { reason: 'CrashLoopBackOff' } } : { running: { startedAt: now() } },
          lastState: {},
        },
      ],
    }
    const body = { metadata: { uid: pod.metadata.uid }, status }
    await this.quietly(
      pod,
      this.store.patch(Pod, { namespace, name }, { type: 'merge', body }, { subresource: 'status' }),
    )
  }

  /** A pod may vanish, or be written by somebody else, while the stand-in acts on it. */
  private async quietly<T>({ metadata: { namespace = '' } }: PodObject, write: Promise<T>): Promise<T | undefined> {
    this.busy.set(namespace, (this.busy.get(namespace) ?? 0) + 1)
    try {
      return await write
    } catch (error) {
      if (error instanceof StoreError && (error.reason === 'NotFound' || error.reason === 'Conflict')) return undefined
      throw error
    } finally {
      this.busy.set(namespace, (this.busy.get(namespace) ?? 1) - 1)
    }
  }
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`
}
