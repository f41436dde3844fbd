import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Deployment, EndpointSlice, Event, Pod, ReplicaSet, Service } from '../src/resources/kinds.ts'
import type { KubeObject } from '../src/resources/object.ts'
import type {
  DeploymentObject,
  EndpointSliceObject,
  EventObject,
  PodObject,
  ReplicaSetObject,
} from '../src/resources/kubernetes/types.ts'
import { createInformer, type Informer } from '../src/store/informer.ts'
import type { CommandResult, Kubectl } from './workloads-cluster.ts'
import type { StandIn } from './workloads-standin.ts'
import type { Store } from '../src/store/store.ts'

/** Runs one recorded case in a namespace of its own and says what happened, in the words of the recording. */

export interface Step {
  readonly do: string
  readonly n?: number | 'all'
  readonly rs?: string
  readonly args?: string
  readonly stdin?: string
  readonly seconds?: number
  readonly condition?: readonly [string, string, string]
  readonly timeout?: number
}

export interface DeploymentCase {
  readonly id: string
  readonly group: string
  readonly title: string
  readonly setup: string
  readonly steps: readonly Step[]
  readonly expect: Readonly<Record<string, unknown>>
  readonly exact_actions: readonly boolean[]
}

export interface Observation {
  readonly setup: Readonly<Record<string, unknown>>
  readonly steps: readonly Readonly<Record<string, unknown>>[]
  readonly [part: string]: unknown
}

/** So many turns without a change and without work: between a write and the look it causes there is a moment of rest. */
const QUIET_TURNS = 6
const SETTLE_MS_MAX = 60_000
const POLL_MS = 10

const GATE = 'test/gate'

export class CaseRun {
  private readonly namespace: string
  private readonly kubectl: Kubectl
  private readonly standIn: StandIn
  private readonly store: Store
  private readonly isIdleIn: (namespace: string) => boolean
  private readonly replicaSets: Informer<ReplicaSetObject>
  private readonly others: readonly Informer<KubeObject>[]
  /** uid → `v1`, `v2`…; a ReplicaSet that comes back under its old name keeps its number. */
  private readonly numbers = new Map<string, string>()
  private readonly names = new Map<string, string>()
  private actions: string[] = []
  private trace: string[] = []
  private readonly traces: string[][] = []
  private changes = 0
  private maxSum = 0
  private maxLive = 0
  private minReady: number | undefined

  constructor(options: {
    namespace: string
    kubectl: Kubectl
    standIn: StandIn
    store: Store
    isIdleIn: (namespace: string) => boolean
  }) {
    this.isIdleIn = options.isIdleIn
    this.namespace = options.namespace
    this.kubectl = options.kubectl
    this.standIn = options.standIn
    this.store = options.store
    const scope = { namespace: this.namespace }
    this.replicaSets = createInformer<ReplicaSetObject>(this.store, ReplicaSet, scope)
    this.replicaSets.onChange(({ type, object, previous }) => this.sawReplicaSet(type, object, previous))
    this.others = [Deployment, Pod, Service, EndpointSlice, Event].map((kind) =>
      createInformer(this.store, kind, scope),
    )
    for (const informer of this.others) informer.onChange(() => this.touched())
  }

  async run({ setup, steps }: DeploymentCase): Promise<Observation> {
    await Promise.all([this.replicaSets.synced, ...this.others.map(({ synced }) => synced)])
    const applied = await this.kubectl('kubectl apply --validate=false -f -', setup)
    if (applied.exit !== 0) throw new Error(`setup: ${applied.stderr}`)
    await this.settled()
    const first = await this.state()
    const after: Record<string, unknown>[] = []
    for (const step of steps) after.push({ ...(await this.act(step)), ...(await this.state()) })
    const end = await this.end()
    this.replicaSets.stop()
    for (const informer of this.others) informer.stop()
    return { setup: first, steps: after, ...end }
  }

  private touched(): void {
    this.changes += 1
    const pods = this.standIn.pods(this.namespace).filter((pod) => pod.metadata.deletionTimestamp === undefined)
    this.maxLive = Math.max(this.maxLive, pods.length)
  }

  private sawReplicaSet(type: string, object: ReplicaSetObject, previous: ReplicaSetObject | undefined): void {
    this.touched()
    const number = this.numberOf(object)
    if (type === 'DELETED') {
      this.actions.push(`${number} deleted`)
      return
    }
    const size = object.spec.replicas ?? 0
    if (previous?.spec.replicas !== size) this.actions.push(this.sizes())
    const text = `${number} ${String(size)}/${counts(object).join('/')}`
    const before =
      previous === undefined ? '' : `${number} ${String(previous.spec.replicas)}/${counts(previous).join('/')}`
    if (text !== before) this.trace.push(text)
  }

  private numberOf(replicaSet: ReplicaSetObject): string {
    const { name } = replicaSet.metadata
    const known = this.names.get(name)
    const number = known ?? `v${String(this.names.size + 1)}`
    this.names.set(name, number)
    this.numbers.set(replicaSet.metadata.uid ?? '', number)
    return number
  }

  private sizes(): string {
    const all = this.replicaSets.list().map((entry) => [this.numberOf(entry), entry.spec.replicas ?? 0] as const)
    this.maxSum = Math.max(
      this.maxSum,
      all.reduce((sum, [, size]) => sum + size, 0),
    )
    return all
      .toSorted(([left], [right]) => left.localeCompare(right, 'en', { numeric: true }))
      .map(([number, size]) => `${number}=${String(size)}`)
      .join(' ')
  }

  private async act(step: Step): Promise<Readonly<Record<string, unknown>>> {
    const outcome = await this.actOnce(step)
    await this.settled()
    return outcome
  }

  private async actOnce(step: Step): Promise<Readonly<Record<string, unknown>>> {
    switch (step.do) {
      case 'kubectl':
        // The real runs took longer between two steps: what was ready is ready for more than a second.
        if (step.args?.includes('minReadySeconds') === true) await delay(2_000)
        return { kubectl: this.normal(await this.kubectl(`kubectl ${step.args ?? ''}`, step.stdin)) }
      case 'ready':
        await this.makeReady(step)
        return {}
      case 'ready-until-done':
        await this.makeReadyUntilDone(step)
        return {}
      case 'unready':
        await this.makeUnready(step)
        return {}
      case 'kill':
        for (const pod of this.podsOf(step.rs).slice(0, Number(step.n ?? 1))) {
          await this.kubectl(`kubectl delete pod ${pod.metadata.name} --wait=false`)
        }
        return {}
      case 'finish':
        await this.standIn.finish(this.namespace)
        return {}
      case 'sleep':
        await delay((step.seconds ?? 0) * 1000)
        return {}
      case 'wait':
        return { reached: await this.waitFor(step) }
      default:
        throw new Error(`no such step: ${step.do}`)
    }
  }

  private gated(number?: string): readonly PodObject[] {
    return this.podsOf(number).filter(
      (pod) =>
        pod.metadata.annotations?.[GATE] === '1' && pod.metadata.deletionTimestamp === undefined && !isReady(pod),
    )
  }

  private podsOf(number?: string): readonly PodObject[] {
    const pods = this.standIn.pods(this.namespace).toSorted(byAge)
    return number === undefined ? pods : pods.filter((pod) => this.ownerOf(pod) === number)
  }

  private ownerOf(pod: PodObject): string {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
    return this.numbers.get(owner?.uid ?? '') ?? 'none'
  }

  private async makeReady({ n = 'all', rs }: Step): Promise<void> {
    const pods = this.gated(rs)
    for (const pod of n === 'all' ? pods : pods.slice(0, n)) await this.standIn.setReady(pod, true)
  }

  private async makeReadyUntilDone(step: Step): Promise<void> {
    while (this.gated().length > 0) {
      this.actions.push('*')
      this.trace.push('*')
      await this.makeReady(step)
      await this.settled()
    }
  }

  private async makeUnready({ n = 1, rs }: Step): Promise<void> {
    const ready = this.podsOf(rs).filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined)
    for (const pod of ready.slice(0, Number(n))) await this.standIn.setReady(pod, false)
  }

  private async waitFor({ condition, timeout = 15 }: Step): Promise<boolean> {
    const [type, status, reason] = condition ?? []
    const end = Date.now() + timeout * 1000
    while (Date.now() < end) {
      const { items } = await this.store.list<DeploymentObject>(Deployment, { namespace: this.namespace })
      const found = items
        .flatMap((deployment) => deployment.status?.conditions ?? [])
        .some((entry) => entry.type === type && entry.status === status && entry.reason === reason)
      if (found) return true
      await delay(POLL_MS)
    }
    return false
  }

  /** By what there is to do, not by the clock: the machine may be busy elsewhere. */
  private async settled(): Promise<void> {
    const end = Date.now() + SETTLE_MS_MAX
    let quiet = 0
    while (quiet < QUIET_TURNS) {
      if (Date.now() > end) throw new Error('the controllers do not settle')
      const before = this.changes
      await delay(POLL_MS)
      const isIdle = this.isIdleIn(this.namespace) && this.standIn.isIdleIn(this.namespace)
      quiet = isIdle && this.changes === before ? quiet + 1 : 0
    }
  }

  private async state(): Promise<Readonly<Record<string, unknown>>> {
    const { actions, trace } = this
    this.actions = []
    this.trace = []
    this.traces.push(trace)
    const scope = { namespace: this.namespace }
    const deployments = (await this.store.list<DeploymentObject>(Deployment, scope)).items
    const slices = (await this.store.list<EndpointSliceObject>(EndpointSlice, scope)).items
    const pods = this.standIn.pods(this.namespace)
    const ready = pods.filter((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined).length
    const [only] = deployments
    const isFull = only !== undefined && ready >= (only.spec.replicas ?? 1) && ready > 0
    if (this.minReady !== undefined || isFull) this.minReady = Math.min(this.minReady ?? ready, ready)
    return {
      actions,
      rs: Object.fromEntries(
        this.replicaSets.list().map((entry) => [this.numberOf(entry), [entry.spec.replicas ?? 0, ...counts(entry)]]),
      ),
      deployments: Object.fromEntries(deployments.map((entry) => [entry.metadata.name, this.deploymentState(entry)])),
      pods: this.podCounts(pods),
      pod_names: pods
        .filter((pod) => pod.metadata.deletionTimestamp === undefined)
        .map((pod) => pod.metadata.name)
        .toSorted(),
      slices: slices.map((slice) => this.sliceState(slice)),
    }
  }

  private deploymentState({ spec, status = {}, metadata }: DeploymentObject): Readonly<Record<string, unknown>> {
    return {
      'spec.replicas': spec.replicas ?? 1,
      replicas: status.replicas ?? 0,
      updatedReplicas: status.updatedReplicas ?? 0,
      readyReplicas: status.readyReplicas ?? 0,
      availableReplicas: status.availableReplicas ?? 0,
      unavailableReplicas: status.unavailableReplicas ?? 0,
      revision: metadata.annotations?.['deployment.kubernetes.io/revision'] ?? null,
      conditions: (status.conditions ?? [])
        .map(({ type, status: value, reason, message = '' }) => [type, value, reason, this.text(message)])
        .toSorted(([left = ''], [right = '']) => left.localeCompare(right)),
    }
  }

  private podCounts(pods: readonly PodObject[]): Readonly<Record<string, number>> {
    const found: Record<string, number> = {}
    for (const pod of pods) {
      const state = pod.metadata.deletionTimestamp !== undefined ? 'terminating' : isReady(pod) ? 'ready' : 'not-ready'
      const key = `${this.ownerOf(pod)} ${state}`
      found[key] = (found[key] ?? 0) + 1
    }
    return found
  }

  private sliceState(slice: EndpointSliceObject): Readonly<Record<string, unknown>> {
    const endpoints = slice.endpoints ?? []
    const counted: Record<string, number> = {}
    for (const { conditions = {} } of endpoints) {
      const key = `ready=${String(conditions.ready)} serving=${String(conditions.serving)} terminating=${String(conditions.terminating)}`
      counted[key] = (counted[key] ?? 0) + 1
    }
    const [first] = endpoints
    return {
      name: slice.metadata.name.replace(/-[a-z0-9]{5}$/, '-<rand>'),
      addressType: slice.addressType,
      labels: slice.metadata.labels,
      ports: slice.ports ?? [],
      endpoints: counted,
      endpoint_fields: first === undefined ? [] : Object.keys(first).toSorted(),
      'targetRef.kind': first?.targetRef?.kind ?? null,
      nodeName: first?.nodeName ?? null,
      ownerRef: (slice.metadata.ownerReferences ?? []).map(({ kind, name, controller, blockOwnerDeletion }) => [
        kind,
        name,
        controller,
        blockOwnerDeletion,
      ]),
    }
  }

  private async end(): Promise<Readonly<Record<string, unknown>>> {
    const { items } = await this.store.list<EventObject>(Event, { namespace: this.namespace })
    const events = items.toSorted(byAge)
    const rsEvents: Record<string, number> = {}
    for (const { involvedObject, reason = '', count = 1 } of events) {
      if (involvedObject.kind !== 'ReplicaSet') continue
      const key = `${this.names.get(involvedObject.name) ?? '?'} ${reason}`
      rsEvents[key] = (rsEvents[key] ?? 0) + count
    }
    return {
      events: events
        .filter(({ involvedObject }) => involvedObject.kind === 'Deployment')
        .map(({ involvedObject, type, reason, message = '', count }) => [
          involvedObject.name,
          type,
          reason,
          this.text(message),
          count,
        ]),
      rs_events: rsEvents,
      replicasets: Object.fromEntries(
        this.replicaSets.list().map((entry) => [this.numberOf(entry), this.replicaSetState(entry)]),
      ),
      invariants: {
        max_sum_of_rs_spec: this.maxSum,
        max_live_pods: this.maxLive,
        min_ready_after_first_full: this.minReady ?? null,
      },
      status_trace: this.traces,
    }
  }

  private replicaSetState({ metadata, spec }: ReplicaSetObject): Readonly<Record<string, unknown>> {
    const annotations = metadata.annotations ?? {}
    const own = Object.fromEntries(
      ['desired-replicas', 'max-replicas', 'revision', 'revision-history'].flatMap((name) => {
        const value = annotations[`deployment.kubernetes.io/${name}`]
        return value === undefined ? [] : [[name, value]]
      }),
    )
    const cause = annotations['kubernetes.io/change-cause']
    const hash = metadata.labels?.['pod-template-hash'] ?? 'none'
    const [owner] = metadata.ownerReferences ?? []
    return {
      ...own,
      ...(cause === undefined ? {} : { 'change-cause': cause }),
      owner: (metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind}/${name}`),
      name_is_deployment_dash_hash: metadata.name === `${owner?.name ?? ''}-${hash}`,
      hash_in_selector: spec.selector.matchLabels?.['pod-template-hash'] === hash,
      image: spec.template.spec.containers[0]?.image,
    }
  }

  private normal({ exit, stdout, stderr }: CommandResult): CommandResult {
    return { exit, stdout: this.text(stdout), stderr: this.text(stderr) }
  }

  /** Hashes become `<v1>`, random parts of pod names `<pod>`. */
  private text(text: string): string {
    let normal = text.replaceAll(this.namespace, 'testing')
    for (const [name, number] of this.names) {
      if (!name.includes('-')) continue
      const hash = name.slice(name.lastIndexOf('-') + 1)
      normal = normal.replaceAll(hash, `<${number}>`)
    }
    return normal.replaceAll(/(<v\d+>)-[a-z0-9]{5}\b/g, '$1-<pod>')
  }
}

function counts({ status }: ReplicaSetObject): readonly number[] {
  return [status?.replicas ?? 0, status?.readyReplicas ?? 0, status?.availableReplicas ?? 0]
}

function isReady(pod: PodObject): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

/** Creation times are whole seconds; the version of an object that was never changed since would do, the name's suffix of an Event does. */
function byAge(left: KubeObject, right: KubeObject): number {
  const order = (left.metadata.creationTimestamp ?? '').localeCompare(right.metadata.creationTimestamp ?? '')
  return order !== 0 ? order : left.metadata.name.localeCompare(right.metadata.name)
}

/** What differs, as lines. `any_of` and bounds of the recording are understood. */
export function differences(expected: unknown, actual: unknown, path = ''): readonly string[] {
  if (isRecord(expected) && 'any_of' in expected && Array.isArray(expected['any_of'])) {
    const fits = expected['any_of'].some((option) => differences(option, actual, path).length === 0)
    return fits ? [] : [`${path}: ${JSON.stringify(actual)} is none of ${JSON.stringify(expected['any_of'])}`]
  }
  if (isRecord(expected) && isRecord(actual)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(actual)])
    return [...keys].flatMap((key) => differences(expected[key], actual[key], `${path}.${key}`))
  }
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((entry: unknown, index) => differences(entry, actual[index], `${path}[${String(index)}]`))
  }
  return isDeepStrictEqual(expected, actual)
    ? []
    : [`${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`]
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
