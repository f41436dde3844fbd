import { decide, type Observed } from './decide.ts'
import { currentReplicaSet, MAX_REPLICAS, newReplicaSet, sizeAnnotations } from './revisions.ts'
import { decide as decideReplicaSet, podFor } from '../replicaset/decide.ts'
import { findCondition, timestamp } from '../conditions.ts'
import { isControlledBy } from '../owners.ts'
import { isActive, isReady, isTerminating } from '../pods/facts.ts'
import type {
  Condition,
  DeploymentObject,
  IntOrString,
  PodObject,
  ReplicaSetObject,
} from '../../resources/kubernetes/types.ts'

/**
 * A cluster in memory for tests of the deciders: the real decisions of the Deployment and ReplicaSet controllers, one
 * after the other until nothing changes, and pods that do what the test says.
 */
export class World {
  deployment: DeploymentObject
  replicaSets: ReplicaSetObject[] = []
  pods: PodObject[] = []
  now: number = Date.parse('2030-01-01T00:00:00Z')
  /** The largest sum of sizes and the fewest ready pods since `forget`. */
  largest = 0
  fewestReady: number = Number.POSITIVE_INFINITY
  /** Deleted pods stay until `stopped`. */
  stopsSlowly = false
  private trace: string[] = []
  private serial = 0
  private before: string | undefined

  constructor(options: {
    replicas: number
    maxSurge?: IntOrString
    maxUnavailable?: IntOrString
    type?: string
    minReadySeconds?: number
  }) {
    const { replicas, maxSurge, maxUnavailable, type = 'RollingUpdate', minReadySeconds = 0 } = options
    const rollingUpdate = {
      ...(maxSurge === undefined ? {} : { maxSurge }),
      ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    }
    this.deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default', uid: 'web', generation: 1 },
      spec: {
        replicas,
        minReadySeconds,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
        strategy: type === 'Recreate' ? { type } : { type, rollingUpdate },
      },
    }
  }

  observed(): Observed {
    return { deployment: this.deployment, replicaSets: this.replicaSets, pods: this.pods, now: this.now }
  }

  /** Lets both controllers work until nothing changes. */
  settle(): void {
    for (let round = 0; round < 1000; round += 1) {
      const changed = [
        this.syncDeployment(),
        ...this.replicaSets.map((entry) => this.syncReplicaSet(entry.metadata.name)),
      ]
      if (!changed.includes(true)) return
    }
    throw new Error('the controllers never settle')
  }

  /** Old versions / new version after each write, and `*`. */
  sizes(): string {
    return this.trace.join(' ')
  }

  /** The baseline of the trace: from here on the present template is the old one. */
  forget(): void {
    this.trace = []
    this.largest = 0
    this.fewestReady = Number.POSITIVE_INFINITY
    this.before = this.deployment.spec.template.spec.containers[0]?.image
  }

  change(image: string): void {
    this.edit({ template: { ...this.deployment.spec.template, spec: { containers: [{ name: 'c', image }] } } })
  }

  scaleTo(replicas: number): void {
    this.edit({ replicas })
  }

  pause(paused: boolean): void {
    this.edit({ paused })
  }

  passes(ms: number): void {
    this.now += ms
  }

  pendingPods(): number {
    return this.pods.filter((pod) => isActive(pod) && !isReady(pod)).length
  }

  onePendingBecomesReady(): void {
    const pod = this.pods.find((entry) => isActive(entry) && !isReady(entry))
    if (pod !== undefined) this.setReady(pod, true)
    this.settle()
  }

  /** Those that are pending now, one by one. */
  everyPendingBecomesReady(): void {
    this.trace.push('*')
    const names = this.pods.filter((pod) => isActive(pod) && !isReady(pod)).map((pod) => pod.metadata.name)
    for (const name of names) {
      const pod = this.pods.find((entry) => entry.metadata.name === name)
      if (pod !== undefined) this.setReady(pod, true)
      this.settle()
    }
  }

  becomeUnready(count: number): void {
    for (const pod of this.pods.filter((entry) => isActive(entry) && isReady(entry)).slice(0, count)) {
      this.setReady(pod, false)
    }
  }

  stopped(): void {
    this.pods = this.pods.filter((pod) => !isTerminating(pod))
  }

  condition(type: string): Condition | undefined {
    return findCondition(this.deployment.status?.conditions, type)
  }

  sizesByImage(): Record<string, number> {
    return Object.fromEntries(this.replicaSets.map((entry) => [imageOf(entry), entry.spec.replicas ?? 0]))
  }

  revisionByImage(): Record<string, string | undefined> {
    return Object.fromEntries(
      this.replicaSets.map((entry) => [
        imageOf(entry),
        entry.metadata.annotations?.['deployment.kubernetes.io/revision'],
      ]),
    )
  }

  /** Two ReplicaSets of these sizes, all pods of the old one available and none of the new one. */
  stands({ old, fresh }: { old: number; fresh: number }): void {
    for (const [size, image] of [
      [old, 'web:1'],
      [fresh, 'web:2'],
    ] as const) {
      this.change(image)
      const made = newReplicaSet(this.deployment)
      const annotations = sizeAnnotations(this.deployment)
      this.store({
        ...made,
        metadata: {
          ...made.metadata,
          annotations: { ...annotations, [MAX_REPLICAS]: annotations[MAX_REPLICAS] ?? '' },
        },
        spec: { ...made.spec, replicas: size },
        status: { replicas: size, readyReplicas: image === 'web:1' ? size : 0, availableReplicas: size },
      })
    }
  }

  private edit(spec: Partial<DeploymentObject['spec']>): void {
    const { metadata } = this.deployment
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...this.deployment.spec, ...spec },
    }
  }

  private syncDeployment(): boolean {
    const decision = decide(this.observed())
    for (const step of decision.steps) {
      if (step.do === 'tell') continue
      if (step.do === 'delete') {
        this.replicaSets = this.replicaSets.filter((entry) => entry.metadata.name !== step.replicaSet.metadata.name)
        continue
      }
      this.store(step.replicaSet)
      if (step.event !== undefined || step.do === 'create') this.record()
    }
    if (decision.status !== undefined) this.deployment = { ...this.deployment, status: decision.status }
    if (decision.revision !== undefined) {
      const annotations = { 'deployment.kubernetes.io/revision': decision.revision }
      this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } }
    }
    return decision.steps.length > 0 || decision.status !== undefined || decision.revision !== undefined
  }

  private store(replicaSet: ReplicaSetObject): void {
    const { metadata } = replicaSet
    this.serial += 1
    const stored = {
      ...replicaSet,
      metadata: {
        ...metadata,
        uid: metadata.uid ?? `rs-${String(this.serial)}`,
        generation: (metadata.generation ?? 0) + 1,
        creationTimestamp: metadata.creationTimestamp ?? timestamp(this.now + this.serial * 1000),
      },
    }
    const at = this.replicaSets.findIndex((entry) => entry.metadata.name === metadata.name)
    if (at === -1) this.replicaSets.push(stored)
    else this.replicaSets[at] = stored
  }

  private syncReplicaSet(name: string): boolean {
    const at = this.replicaSets.findIndex((entry) => entry.metadata.name === name)
    const replicaSet = this.replicaSets[at]
    if (replicaSet === undefined) return false
    const decision = decideReplicaSet({ replicaSet, pods: this.pods, now: this.now })
    for (let made = 0; made < decision.create; made += 1) this.pods.push(this.makePod(replicaSet))
    for (const pod of decision.remove) this.removePod(pod)
    this.replicaSets[at] = { ...replicaSet, status: decision.status }
    const statusChanged = JSON.stringify(replicaSet.status) !== JSON.stringify(decision.status)
    return decision.create > 0 || decision.remove.length > 0 || statusChanged
  }

  private makePod(replicaSet: ReplicaSetObject): PodObject {
    this.serial += 1
    const pod = podFor(replicaSet)
    const creationTimestamp = timestamp(this.now + this.serial * 1000)
    return {
      ...pod,
      metadata: { ...pod.metadata, name: `pod-${String(this.serial)}`, creationTimestamp },
      spec: { ...pod.spec, nodeName: 'node' },
      status: { phase: 'Running', conditions: [] },
    }
  }

  private removePod(pod: PodObject): void {
    if (!this.stopsSlowly) this.pods = this.pods.filter((entry) => entry !== pod)
    else this.replacePod(pod, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: timestamp(this.now) } })
    this.measure()
  }

  private setReady(pod: PodObject, ready: boolean): void {
    const condition: Condition = {
      type: 'Ready',
      status: ready ? 'True' : 'False',
      lastTransitionTime: timestamp(this.now),
    }
    this.replacePod(pod, { ...pod, status: { ...pod.status, conditions: [condition] } })
  }

  private replacePod(before: PodObject, after: PodObject): void {
    this.pods = this.pods.map((entry) => (entry === before ? after : entry))
  }

  private measure(): void {
    this.fewestReady = Math.min(this.fewestReady, this.pods.filter((pod) => isActive(pod) && isReady(pod)).length)
  }

  private record(): void {
    const sizes = this.replicaSets.map((entry) => [imageOf(entry), entry.spec.replicas ?? 0] as const)
    this.largest = Math.max(
      this.largest,
      sizes.reduce((total, [, size]) => total + size, 0),
    )
    const fresh = currentReplicaSet(this.deployment, this.replicaSets)?.spec.replicas
    const old = sizes.find(([image]) => image === this.before)?.[1] ?? 0
    this.trace.push(`${String(old)}/${fresh === undefined ? '-' : String(fresh)}`)
  }

  /** Pods of a ReplicaSet. */
  podsOf(replicaSet: ReplicaSetObject): readonly PodObject[] {
    return this.pods.filter((pod) => isControlledBy(pod, replicaSet))
  }
}

function imageOf(replicaSet: ReplicaSetObject): string {
  return replicaSet.spec.template.spec.containers[0]?.image ?? ''
}
