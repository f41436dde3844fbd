/** What Kubernetes fills into the spec of a Pod or of its template. They change what they are given; only what is absent is filled. */
import type { Container, PodSpec, PodObject, Probe, Volume } from './types.ts'

/** A spec as it may be changed: everything optional, fields of ours and of others. */
type Draft = Record<string, unknown>

const SOURCES_WITH_MODE = ['configMap', 'secret', 'projected', 'downwardAPI']
const MODE = 0o644

export function defaultPodSpec(spec: PodSpec): void {
  const draft = spec as unknown as Draft
  draft['restartPolicy'] ??= 'Always'
  draft['terminationGracePeriodSeconds'] ??= 30
  draft['dnsPolicy'] ??= 'ClusterFirst'
  draft['securityContext'] ??= {}
  draft['schedulerName'] ??= 'default-scheduler'
  // The older name is written beside the newer one, in both directions.
  const account = draft['serviceAccountName'] ?? draft['serviceAccount']
  if (account !== undefined) Object.assign(draft, { serviceAccountName: account, serviceAccount: account })
  const hostNetwork = draft['hostNetwork'] === true
  for (const container of spec.initContainers ?? []) defaultContainer(container, { isInit: true, hostNetwork })
  for (const container of spec.containers ?? []) defaultContainer(container, { isInit: false, hostNetwork })
  for (const volume of spec.volumes ?? []) defaultVolume(volume)
}

/** What only a Pod itself gets, not a template. */
export function defaultPod(pod: PodObject): void {
  const draft = pod.spec as unknown as Draft
  draft['enableServiceLinks'] ??= true
  for (const container of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) requestLimits(container)
}

/** What a new Pod gets from the admission that a cluster has: its priority, and patience with a node in trouble. */
export function admitPod(pod: PodObject): void {
  const draft = pod.spec as unknown as Draft
  draft['priority'] ??= 0
  draft['preemptionPolicy'] ??= 'PreemptLowerPriority'
  draft['tolerations'] = withDefaultTolerations((draft['tolerations'] ?? []) as Toleration[])
}

interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}

function withDefaultTolerations(given: readonly Toleration[]): Toleration[] {
  const keys = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
  const missing = keys.filter(
    (key) =>
      !given.some(
        (toleration) => (toleration.key ?? key) === key && (toleration.effect ?? 'NoExecute') === 'NoExecute',
      ),
  )
  return [...given, ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))]
}

/** A limit without a request is the request too. */
function requestLimits(container: Container): void {
  const resources = container.resources as
    | { limits?: Record<string, string>; requests?: Record<string, string> }
    | undefined
  if (resources?.limits === undefined) return
  resources.requests = { ...resources.limits, ...resources.requests }
}

function defaultContainer(
  container: Container,
  { isInit, hostNetwork }: { readonly isInit: boolean; readonly hostNetwork: boolean },
): void {
  const draft = container as unknown as Draft
  if (draft['restartPolicy'] !== 'Always' || !isInit) delete draft['restartPolicy']
  draft['imagePullPolicy'] ??= isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent'
  draft['terminationMessagePath'] ??= '/dev/termination-log'
  draft['terminationMessagePolicy'] ??= 'File'
  draft['resources'] ??= {}
  for (const port of (draft['ports'] ?? []) as Draft[]) {
    if (port['protocol'] === undefined || port['protocol'] === '') port['protocol'] = 'TCP'
    if (hostNetwork && port['hostPort'] === undefined) port['hostPort'] = port['containerPort']
  }
  for (const variable of (draft['env'] ?? []) as Draft[]) {
    const reference = (variable['valueFrom'] as Draft | undefined)?.['fieldRef'] as Draft | undefined
    if (reference !== undefined) reference['apiVersion'] ??= 'v1'
    const resource = (variable['valueFrom'] as Draft | undefined)?.['resourceFieldRef'] as Draft | undefined
    if (resource !== undefined) resource['divisor'] ??= '0'
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) defaultProbe(container[name])
  const lifecycle = draft['lifecycle'] as Draft | undefined
  for (const name of ['postStart', 'preStop'])
    defaultHttp((lifecycle?.[name] as Draft | undefined)?.['httpGet'] as Draft | undefined)
}

/** `latest`, or no tag at all, and no digest. */
function isLatest(image: string): boolean {
  if (image.includes('@') || image.trim() === '') return false
  const tag = /:([^:/]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest'
}

function defaultProbe(probe: Probe | undefined): void {
  if (probe === undefined) return
  const draft = probe as unknown as Draft
  draft['timeoutSeconds'] ??= 1
  draft['periodSeconds'] ??= 10
  draft['successThreshold'] ??= 1
  draft['failureThreshold'] ??= 3
  defaultHttp(draft['httpGet'] as Draft | undefined)
  const grpc = draft['grpc'] as Draft | undefined
  if (grpc !== undefined) grpc['service'] ??= ''
}

function defaultHttp(get: Draft | undefined): void {
  if (get === undefined) return
  get['path'] ??= '/'
  get['scheme'] ??= 'HTTP'
}

function defaultVolume(volume: Volume): void {
  const draft = volume as unknown as Record<string, Draft | undefined>
  if (Object.keys(draft).every((name) => name === 'name')) draft['emptyDir'] = {}
  for (const name of SOURCES_WITH_MODE) {
    const source = draft[name]
    if (source !== undefined) source['defaultMode'] ??= MODE
  }
  const hostPath = draft['hostPath']
  if (hostPath !== undefined) hostPath['type'] ??= ''
}

/** Guaranteed: every container's limits are its requests, for both resources; BestEffort: none has any. */
export function qosClass(pod: PodObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]
  const of = (container: Container): NonNullable<Container['resources']> => container.resources ?? {}
  const any = containers.some(
    (container) =>
      Object.keys(of(container).limits ?? {}).length + Object.keys(of(container).requests ?? {}).length > 0,
  )
  if (!any) return 'BestEffort'
  const all = containers.every((container) => {
    const { limits = {}, requests = {} } = of(container)
    return ['cpu', 'memory'].every(
      (name) => limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name],
    )
  })
  return all ? 'Guaranteed' : 'Burstable'
}
