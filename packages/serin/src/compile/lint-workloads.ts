/** Services and Deployments that do not fit together. */
import type { Diagnostic } from '../resources/diagnostic.ts'
import type { KubeObject } from '../resources/object.ts'
import { suggest } from '../resources/suggest.ts'
import { hasLabels } from './hosts.ts'
import { keyOf, namespaceOf, originOf, Report } from './report.ts'

type Labels = Readonly<Record<string, string>>

interface PodTemplate {
  readonly namespace: string
  readonly labels: Labels
  readonly ports: readonly { readonly name?: string; readonly containerPort?: number }[]
}

interface ServiceSpec {
  readonly selector?: Labels
  readonly type?: string
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: number | string }[]
}

interface WorkloadSpec {
  readonly selector?: { readonly matchLabels?: Labels }
  readonly template?: {
    readonly metadata?: { readonly labels?: Labels }
    readonly spec?: PodSpec
  }
}

interface PodSpec {
  readonly containers?: readonly { readonly ports?: PodTemplate['ports'] }[]
}

const WORKLOADS: readonly string[] = ['Deployment', 'ReplicaSet']

/** Pure. */
export function lintWorkloads(objects: readonly KubeObject[]): Diagnostic[] {
  const templates = objects.flatMap(templateOf)
  const sliced = new Set(
    objects
      .filter(({ kind }) => kind === 'EndpointSlice')
      .map((slice) => `${namespaceOf(slice)}/${slice.metadata.labels?.['kubernetes.io/service-name']}`),
  )
  return objects.flatMap((object) => {
    const report = new Report(originOf(object))
    if (object.kind === 'Service') lintService(object, templates, sliced.has(keyOf(object)), report)
    else if (WORKLOADS.includes(object.kind)) lintSelector(object, report)
    return report.diagnostics
  })
}

function templateOf(object: KubeObject): PodTemplate[] {
  const namespace = namespaceOf(object)
  if (object.kind === 'Pod')
    return [{ namespace, labels: object.metadata.labels ?? {}, ports: portsOf(object.spec as PodSpec) }]
  if (!WORKLOADS.includes(object.kind)) return []
  const { template } = (object.spec ?? {}) as WorkloadSpec
  return [{ namespace, labels: template?.metadata?.labels ?? {}, ports: portsOf(template?.spec) }]
}

function portsOf(spec: PodSpec | undefined): PodTemplate['ports'] {
  const containers = Array.isArray(spec?.containers) ? spec.containers : []
  return containers.flatMap(({ ports }) => (Array.isArray(ports) ? ports : []))
}

function lintService(service: KubeObject, templates: readonly PodTemplate[], hasSlices: boolean, report: Report): void {
  const { selector, type, ports } = (service.spec ?? {}) as ServiceSpec
  if (type === 'ExternalName' || hasSlices) return
  if (selector === undefined || Object.keys(selector).length === 0) {
    report.note('no-selector', 'the Service has neither a selector nor EndpointSlices, so it has no endpoints', {
      path: ['spec'],
    })
    return
  }
  const here = templates.filter(({ namespace }) => namespace === namespaceOf(service))
  const chosen = here.filter(({ labels }) => hasLabels(labels, selector))
  if (chosen.length === 0) return reportNoPods(selector, here, report)
  for (const [index, { targetPort }] of (Array.isArray(ports) ? ports : []).entries()) {
    const names = chosen.flatMap((template) => template.ports.flatMap(({ name }) => name ?? []))
    if (typeof targetPort !== 'string' || names.includes(targetPort)) continue
    report.warning('unknown-target-port', `no container of its pods names a port "${targetPort}"`, {
      path: ['spec', 'ports', index, 'targetPort'],
      ...(names.length > 0 && { expected: `one of ${[...new Set(names)].join(', ')}` }),
      suggestion: suggest(targetPort, names),
    })
  }
}

function reportNoPods(selector: Labels, templates: readonly PodTemplate[], report: Report): void {
  const name = Object.keys(selector)[0]!
  const values = templates.flatMap(({ labels }) => labels[name] ?? [])
  const text = Object.entries(selector).map(([key, value]) => `${key}=${value}`)
  report.warning('service-without-pods', `no Deployment in the files has pods with the labels ${text.join(',')}`, {
    path: ['spec', 'selector', name],
    suggestion: suggest(selector[name]!, values),
    notes: ['requests to it get 503 until there are some'],
  })
}

/** The API refuses such a Deployment: its pods would never be its own. */
function lintSelector(object: KubeObject, report: Report): void {
  const { selector, template } = (object.spec ?? {}) as WorkloadSpec
  const wanted = selector?.matchLabels
  const labels = template?.metadata?.labels ?? {}
  if (wanted === undefined || hasLabels(labels, wanted)) return
  const [name = ''] = Object.keys(wanted).filter((key) => labels[key] !== wanted[key])
  report.error(
    'selector-mismatch',
    `the pod template lacks the label ${name}=${wanted[name]} that the selector wants`,
    {
      path: ['spec', 'selector', 'matchLabels', name],
      expected: 'the same label in spec.template.metadata.labels',
      suggestion: labels[name],
    },
  )
}
