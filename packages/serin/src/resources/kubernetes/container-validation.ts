/** What containers of a Pod or a template may say, in the order in which Kubernetes checks it. Pure. */
import { configKeyErrors, dnsLabelErrors, portNameErrors, qualifiedNameErrors, subdomainErrors } from './names.ts'
import { validateIds } from './pod-placement-validation.ts'
import { validateProbe, validateHandler } from './probe-validation.ts'
import {
  absent,
  duplicate,
  forbidden,
  invalid,
  invalids,
  required,
  unsupported,
  type FieldProblem,
} from './problems.ts'
import { validateResources } from './resource-validation.ts'
import type { Container, ContainerPort, EnvVar, KeyRef, VolumeMount } from './types.ts'

const PORT_RANGE = 'must be between 1 and 65535, inclusive'
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never']
const MESSAGE_POLICIES = ['File', 'FallbackToLogsOnError']
const PROTOCOLS = ['SCTP', 'TCP', 'UDP']
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

const ENV_RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]
/** Fields by which Kubernetes can select Pods: others it does not even recognize. */
const CONVERTIBLE_FIELDS =
  /^(metadata\.(name|namespace|uid|labels|annotations)|spec\.(nodeName|restartPolicy|schedulerName|serviceAccountName|hostNetwork)|status\.(phase|hostIPs?|podIPs?|nominatedNodeName))$/

/** What the Pod has that its containers speak of. */
interface PodScope {
  readonly volumes: ReadonlySet<string>
  readonly graceSeconds: number
}

interface ContainerScope extends PodScope {
  readonly names: Set<string>
}

export function validateContainers(containers: readonly Container[], field: string, scope: PodScope): FieldProblem[] {
  if (containers.length === 0) return [required(field)]
  const names = new Set<string>()
  const problems = containers.flatMap((container, index) =>
    validateContainer(container, `${field}[${index}]`, { ...scope, names }),
  )
  problems.push(...validateHostPorts(containers, field))
  return problems
}

export function validateInitContainers(
  containers: readonly Container[],
  regular: readonly Container[],
  field: string,
  scope: PodScope,
): FieldProblem[] {
  const names = new Set(regular.map(({ name }) => name))
  return containers.flatMap((container, index) => {
    const at = `${field}[${index}]`
    if (container.restartPolicy === 'Always') return validateContainer(container, at, { ...scope, names })
    const { lifecycle, livenessProbe, readinessProbe, startupProbe, ...plain } = container
    const given = Object.entries({ lifecycle, livenessProbe, readinessProbe, startupProbe })
    return [
      ...validateContainer(plain, at, { ...scope, names }),
      ...given.flatMap(([name, value]) =>
        value === undefined
          ? []
          : [forbidden(`${at}.${name}`, 'may not be set for init containers without restartPolicy=Always')],
      ),
    ]
  })
}

function validateContainer(container: Container, field: string, scope: ContainerScope): FieldProblem[] {
  const { volumes, names, graceSeconds } = scope
  const { name, image = '', imagePullPolicy, terminationMessagePolicy } = container
  const problems: FieldProblem[] = []
  if (name === undefined || name === '') problems.push(required(`${field}.name`))
  else problems.push(...invalids(`${field}.name`, name, dnsLabelErrors(name)))
  // Here a program may be named by its command alone.
  if (image === '' && (container.command ?? []).length === 0) problems.push(required(`${field}.image`))
  if (terminationMessagePolicy !== undefined && !MESSAGE_POLICIES.includes(terminationMessagePolicy))
    problems.push(unsupported(`${field}.terminationMessagePolicy`, terminationMessagePolicy, MESSAGE_POLICIES))
  problems.push(...validatePorts(container.ports ?? [], `${field}.ports`))
  problems.push(...(container.env ?? []).flatMap((variable, index) => validateEnv(variable, `${field}.env[${index}]`)))
  problems.push(...validateEnvFrom(container, `${field}.envFrom`))
  problems.push(...validateMounts(container.volumeMounts ?? [], `${field}.volumeMounts`, volumes))
  if (imagePullPolicy === '') problems.push(required(`${field}.imagePullPolicy`))
  else if (imagePullPolicy !== undefined && !PULL_POLICIES.includes(imagePullPolicy)) {
    problems.push(unsupported(`${field}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES))
  }
  problems.push(...validateResources(container.resources, `${field}.resources`))
  problems.push(...validateIds(container.securityContext, `${field}.securityContext`, ['runAsUser', 'runAsGroup']))
  if (name !== undefined && name !== '') {
    if (names.has(name)) problems.push(duplicate(`${field}.name`, name))
    names.add(name)
  }
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[hook]
    if (handler !== undefined) problems.push(...validateHandler(handler, `${field}.lifecycle.${hook}`, graceSeconds))
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const given = container[probe]
    if (given !== undefined) problems.push(...validateProbe(given, `${field}.${probe}`, probe))
  }
  return problems
}

function validatePorts(ports: readonly ContainerPort[], field: string): FieldProblem[] {
  const names = new Set<string>()
  return ports.flatMap((port, index) => {
    const at = `${field}[${index}]`
    const problems: FieldProblem[] = []
    if (port.name !== undefined && port.name !== '') {
      const errors = portNameErrors(port.name)
      problems.push(...invalids(`${at}.name`, port.name, errors))
      if (errors.length === 0 && names.has(port.name)) problems.push(duplicate(`${at}.name`, port.name))
      names.add(port.name)
    }
    if (port.containerPort === undefined || port.containerPort === 0) problems.push(required(`${at}.containerPort`))
    else if (!isPort(port.containerPort)) problems.push(invalid(`${at}.containerPort`, port.containerPort, PORT_RANGE))
    if (port.hostPort !== undefined && port.hostPort !== 0 && !isPort(port.hostPort)) {
      problems.push(invalid(`${at}.hostPort`, port.hostPort, PORT_RANGE))
    }
    if (port.protocol === undefined || port.protocol === '') problems.push(required(`${at}.protocol`))
    else if (!PROTOCOLS.includes(port.protocol)) problems.push(unsupported(`${at}.protocol`, port.protocol, PROTOCOLS))
    return problems
  })
}

/** One port of the machine is for one container. */
function validateHostPorts(containers: readonly Container[], field: string): FieldProblem[] {
  const seen = new Set<string>()
  return containers.flatMap(({ ports = [] }, container) =>
    ports.flatMap(({ protocol, hostIP = '', hostPort = 0 }, index) => {
      const key = `${protocol}/${hostIP}/${hostPort}`
      const isTaken = hostPort !== 0 && seen.has(key)
      seen.add(key)
      return isTaken ? [duplicate(`${field}[${container}].ports[${index}].hostPort`, key)] : []
    }),
  )
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}

function validateEnv({ name, value, valueFrom }: EnvVar, field: string): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (name === undefined || name === '') problems.push(required(`${field}.name`))
  else if (!/^[ -<>-~]+$/.test(name)) {
    const rule = "a valid environment variable name must consist only of printable ASCII characters other than '='"
    problems.push(invalid(`${field}.name`, name, rule))
  }
  if (valueFrom !== undefined) problems.push(...validateValueFrom(valueFrom, value, `${field}.valueFrom`))
  return problems
}

function validateValueFrom(
  source: NonNullable<EnvVar['valueFrom']>,
  value: string | undefined,
  field: string,
): FieldProblem[] {
  const problems: FieldProblem[] = []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = source
  if (fieldRef !== undefined) problems.push(...validateFieldRef(fieldRef, `${field}.fieldRef`))
  if (resourceFieldRef !== undefined)
    problems.push(...validateResourceRef(resourceFieldRef.resource, `${field}.resourceFieldRef.resource`))
  if (configMapKeyRef !== undefined) problems.push(...validateKeyRef(configMapKeyRef, `${field}.configMapKeyRef`))
  if (secretKeyRef !== undefined) problems.push(...validateKeyRef(secretKeyRef, `${field}.secretKeyRef`))
  const sources = Object.keys(source).length
  if (sources === 0) {
    const detail = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'
    problems.push(invalid(field, '', detail))
  } else if (value !== undefined && value !== '')
    problems.push(invalid(field, '', 'may not be specified when `value` is not empty'))
  else if (sources > 1) problems.push(invalid(field, '', 'may not have more than one field specified at a time'))
  return problems
}

function validateFieldRef({ fieldPath }: { readonly fieldPath?: string }, field: string): FieldProblem[] {
  const path = fieldPath ?? ''
  if (path === '') return [required(`${field}.fieldPath`)]
  const [, key] = /^metadata\.(?:labels|annotations)\['(.*)'\]$/.exec(path) ?? []
  if (key !== undefined) return invalids(field, key, qualifiedNameErrors(key))
  if (!CONVERTIBLE_FIELDS.test(path)) {
    return [invalid(`${field}.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`)]
  }
  return ENV_FIELDS.includes(path) ? [] : [unsupported(`${field}.fieldPath`, path, ENV_FIELDS)]
}

function validateResourceRef(resource: string | undefined, field: string): FieldProblem[] {
  if (resource === undefined || resource === '') return [required(field)]
  const isKnown = ENV_RESOURCES.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)
  return isKnown ? [] : [unsupported(field, resource, ENV_RESOURCES)]
}

function validateKeyRef({ name = '', key = '' }: Partial<KeyRef>, field: string): FieldProblem[] {
  return [
    ...invalids(`${field}.name`, name, subdomainErrors(name)),
    ...(key === '' ? [required(`${field}.key`)] : invalids(`${field}.key`, key, configKeyErrors(key))),
  ]
}

function validateEnvFrom({ envFrom = [] }: Container, field: string): FieldProblem[] {
  return envFrom.flatMap((source, index) => {
    const at = `${field}[${index}]`
    const problems: FieldProblem[] = []
    if (source.configMapRef !== undefined && (source.configMapRef.name ?? '') === '')
      problems.push(required(`${at}.configMapRef.name`))
    if (source.secretRef !== undefined && (source.secretRef.name ?? '') === '')
      problems.push(required(`${at}.secretRef.name`))
    if (source.configMapRef === undefined && source.secretRef === undefined) {
      problems.push(invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`'))
    } else if (source.configMapRef !== undefined && source.secretRef !== undefined) {
      problems.push(invalid(field, '', 'may not have more than one field specified at a time'))
    }
    return problems
  })
}

function validateMounts(mounts: readonly VolumeMount[], field: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const paths = new Set<string>()
  return mounts.flatMap(({ name, mountPath, subPath = '' }, index) => {
    const at = `${field}[${index}]`
    const problems: FieldProblem[] = []
    if (name === undefined || name === '') problems.push(required(`${at}.name`))
    if (!volumes.has(name ?? '')) problems.push(absent(`${at}.name`, name ?? ''))
    if (mountPath === undefined || mountPath === '') problems.push(required(`${at}.mountPath`))
    else if (paths.has(mountPath)) problems.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath)
    if (subPath.startsWith('/')) problems.push(invalid(`${at}.subPath`, subPath, 'must be a relative path'))
    if (subPath.split('/').includes('..')) problems.push(invalid(`${at}.subPath`, subPath, "must not contain '..'"))
    return problems
  })
}
