import type {
  ConfigMapObject,
  Container,
  EnvFromSource,
  EnvVar,
  PodObject,
  SecretObject,
  ServiceObject,
} from '../../resources/kubernetes/types.ts'
import { StartError } from '../runtimes/runtime.ts'
import { resourceField } from './quantity.ts'

/**
 * The environment of a container. Pure. Source: Kubernetes, "Define environment variables", "Environment variables for Services" and
 * `$(VAR)` references.
 */

export interface EnvironmentInput {
  readonly pod: PodObject
  readonly container: Container
  readonly configMap: (name: string) => ConfigMapObject | undefined
  readonly secret: (name: string) => SecretObject | undefined
  /** Of the pod's namespace, with an address. */
  readonly services: readonly ServiceObject[]
  /** What is there before anything of the pod: the image's, `PORT`, `HOST`, a few of this process. */
  readonly base: Readonly<Record<string, string>>
  readonly podIP: string
  readonly hostIP: string
}

/** Throws StartError `CreateContainerConfigError` for a missing ConfigMap, Secret or key. */
export function environmentOf(input: EnvironmentInput): Record<string, string> {
  const { pod, container, base, services } = input
  const environment: Record<string, string> = { ...base }
  if (pod.spec.enableServiceLinks !== false) Object.assign(environment, serviceVariables(services))
  for (const source of container.envFrom ?? []) Object.assign(environment, fromSource(input, source))
  for (const variable of container.env ?? []) {
    const value = valueOf(input, variable, environment)
    if (value !== undefined) environment[variable.name] = value
  }
  return environment
}

/** Replaces `$(NAME)`; `$$(NAME)` stays `$(NAME)`, and what is not known stays as it is. */
export function expand(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\$|\(([^()]*)\))/g, (whole, name?: string) => {
    if (name === undefined) return '$'
    return environment[name] ?? whole
  })
}

function serviceVariables(services: readonly ServiceObject[]): Record<string, string> {
  return Object.fromEntries(services.flatMap(variablesOf))
}

function variablesOf(service: ServiceObject): readonly (readonly [string, string])[] {
  const { clusterIP = '', ports = [] } = service.spec
  const [first] = ports
  if (clusterIP === '' || clusterIP === 'None' || first === undefined) return []
  const name = service.metadata.name.toUpperCase().replaceAll('-', '_')
  const url = (port: number, protocol = 'TCP'): string => `${protocol.toLowerCase()}://${clusterIP}:${String(port)}`
  return [
    [`${name}_SERVICE_HOST`, clusterIP],
    [`${name}_SERVICE_PORT`, String(first.port)],
    ...ports
      .filter((port) => (port.name ?? '') !== '')
      .map(
        (port) =>
          [`${name}_SERVICE_PORT_${(port.name ?? '').toUpperCase().replaceAll('-', '_')}`, String(port.port)] as const,
      ),
    [`${name}_PORT`, url(first.port, first.protocol)],
    ...ports.flatMap(({ port, protocol = 'TCP' }) => {
      const prefix = `${name}_PORT_${String(port)}_${protocol.toUpperCase()}`
      return [
        [prefix, url(port, protocol)],
        [`${prefix}_PROTO`, protocol.toLowerCase()],
        [`${prefix}_PORT`, String(port)],
        [`${prefix}_ADDR`, clusterIP],
      ] as const
    }),
  ]
}

function fromSource(input: EnvironmentInput, source: EnvFromSource): Record<string, string> {
  const { prefix = '', configMapRef, secretRef } = source
  const data =
    configMapRef === undefined
      ? secretRef === undefined
        ? {}
        : secretData(found(input.secret(secretRef.name), 'secret', secretRef))
      : (found(input.configMap(configMapRef.name), 'configmap', configMapRef)?.data ?? {})
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [`${prefix}${name}`, value]))
}

function found<T>(
  object: T | undefined,
  kind: string,
  { name, optional }: { name: string; optional?: boolean },
): T | undefined {
  if (object === undefined && optional !== true)
    throw new StartError('CreateContainerConfigError', `${kind} "${name}" not found`)
  return object
}

function secretData(secret: SecretObject | undefined): Record<string, string> {
  const entries = Object.entries(secret?.data ?? {})
  return Object.fromEntries(entries.map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]))
}

function valueOf(
  input: EnvironmentInput,
  variable: EnvVar,
  known: Readonly<Record<string, string>>,
): string | undefined {
  const { valueFrom } = variable
  if (valueFrom === undefined) return expand(variable.value ?? '', known)
  if (valueFrom.fieldRef !== undefined) return fieldValue(input, valueFrom.fieldRef.fieldPath)
  if (valueFrom.resourceFieldRef !== undefined) {
    const { containerName } = valueFrom.resourceFieldRef
    const container = input.pod.spec.containers.find((entry) => entry.name === containerName) ?? input.container
    return resourceField(container, valueFrom.resourceFieldRef)
  }
  const { configMapKeyRef, secretKeyRef } = valueFrom
  if (configMapKeyRef !== undefined) {
    const data = found(input.configMap(configMapKeyRef.name), 'configmap', configMapKeyRef)?.data ?? {}
    return keyValue(data, configMapKeyRef, `ConfigMap ${input.pod.metadata.namespace ?? ''}/${configMapKeyRef.name}`)
  }
  if (secretKeyRef === undefined) return ''
  const data = secretData(found(input.secret(secretKeyRef.name), 'secret', secretKeyRef))
  return keyValue(data, secretKeyRef, `Secret ${input.pod.metadata.namespace ?? ''}/${secretKeyRef.name}`)
}

function keyValue(
  data: Readonly<Record<string, string>>,
  { key, optional }: { key: string; optional?: boolean },
  where: string,
): string | undefined {
  const value = data[key]
  if (value === undefined && optional !== true) {
    throw new StartError('CreateContainerConfigError', `couldn't find key ${key} in ${where}`)
  }
  return value
}

/** The downward API: what a pod may know of itself. */
function fieldValue(input: EnvironmentInput, path: string): string {
  const { metadata, spec } = input.pod
  const subscript = /^metadata\.(annotations|labels)\['(.+)'\]$/.exec(path)
  if (subscript !== null)
    return metadata[subscript[1] === 'labels' ? 'labels' : 'annotations']?.[subscript[2] ?? ''] ?? ''
  return (
    {
      'metadata.name': metadata.name,
      'metadata.namespace': metadata.namespace,
      'metadata.uid': metadata.uid,
      'spec.nodeName': spec.nodeName,
      'spec.serviceAccountName': spec.serviceAccountName,
      'status.hostIP': input.hostIP,
      'status.hostIPs': input.hostIP,
      'status.podIP': input.podIP,
      'status.podIPs': input.podIP,
    }[path] ?? ''
  )
}
