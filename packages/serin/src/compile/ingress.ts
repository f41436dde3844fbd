/** Ingresses as Mappings and Hosts, the way Emissary reads them. */
import type { KubeObject } from '../resources/object.ts'
import { namespaceOf } from './report.ts'

const INGRESS_CLASS_ANNOTATION = 'kubernetes.io/ingress.class'
export const INGRESS_CONTROLLER = 'getambassador.io/ingress-controller'
const INGRESS_CLASS = 'ambassador'

interface IngressObject extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string
    readonly defaultBackend?: Backend
    readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[]
    readonly rules?: readonly {
      readonly host?: string
      readonly http?: { readonly paths?: readonly IngressPath[] }
    }[]
  }
}

interface Backend {
  readonly service?: { readonly name?: string; readonly port?: { readonly name?: string; readonly number?: number } }
}

interface IngressPath {
  readonly path?: string
  readonly pathType?: string
  readonly backend?: Backend
}

/** Which port number a Service's port of that name has; undefined: none. */
export type PortLookup = (namespace: string, service: string, portName: string) => number | undefined

/** Whether the Ingress is meant for us: by annotation, or by an IngressClass with Emissary's controller. Pure. */
export function isOurIngress(object: KubeObject, ourClasses: ReadonlySet<string>): boolean {
  const annotation = object.metadata.annotations?.[INGRESS_CLASS_ANNOTATION]
  if (annotation !== undefined) return annotation.toLowerCase() === INGRESS_CLASS
  const name = (object as IngressObject).spec?.ingressClassName
  return name !== undefined && ourClasses.has(name)
}

/** Pure. */
export function ingressResources(object: KubeObject, portOf: PortLookup): KubeObject[] {
  const { spec = {}, metadata } = object as IngressObject
  const namespace = namespaceOf(object)
  const resource = (kind: string, name: string, fields: object, labels?: Record<string, string>): KubeObject => ({
    apiVersion: 'getambassador.io/v3alpha1',
    kind,
    metadata: { name, namespace, ...(labels !== undefined && { labels }) },
    spec: fields,
  })
  const serviceOf = (backend: Backend | undefined): string | undefined => {
    const { name, port } = backend?.service ?? {}
    const number =
      port?.number ?? (port?.name === undefined || name === undefined ? undefined : portOf(namespace, name, port.name))
    return name === undefined || number === undefined ? undefined : `${name}.${namespace}:${number}`
  }
  const result: KubeObject[] = []
  for (const [index, { hosts = ['*'], secretName }] of (spec.tls ?? []).entries()) {
    if (secretName === undefined) continue
    for (const [position, hostname] of hosts.entries()) {
      result.push(resource('Host', `${metadata.name}-${index}-${position}`, hostSpec(hostname, secretName)))
    }
  }
  const fallback = serviceOf(spec.defaultBackend)
  if (fallback !== undefined)
    result.push(
      resource('Mapping', `${metadata.name}-default-backend`, { hostname: '*', prefix: '/', service: fallback }),
    )
  for (const [ruleIndex, { host, http }] of (spec.rules ?? []).entries()) {
    for (const [pathIndex, entry] of (http?.paths ?? []).entries()) {
      const service = serviceOf(entry.backend)
      if (service === undefined) continue
      const name = `${metadata.name}-${ruleIndex}-${pathIndex}`
      result.push(resource('Mapping', name, { ...hostMatch(host), ...pathMatch(entry), service }))
    }
  }
  return result
}

function hostSpec(hostname: string, secretName: string): object {
  return { hostname, tlsSecret: { name: secretName }, requestPolicy: { insecure: { action: 'Route' } } }
}

/** One label stands for the star of `*.example.com`, where a Mapping's would stand for several. */
function hostMatch(host: string | undefined): object {
  if (host === undefined || host === '') return { hostname: '*' }
  if (!host.startsWith('*.')) return { host }
  return { host: `[a-z0-9]([-a-z0-9]*[a-z0-9])?\\.${host.slice(2).replaceAll('.', '\\.')}`, host_regex: true }
}

/** An exact path comes before every prefix. */
function pathMatch({ path = '/', pathType }: IngressPath): object {
  return pathType === 'Exact' ? { prefix: path, prefix_exact: true, precedence: 1 } : { prefix: path }
}
