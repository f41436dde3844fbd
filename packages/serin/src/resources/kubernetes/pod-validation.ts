/** Pods and templates of Pods. Pure. */
import { validateContainers, validateInitContainers } from './container-validation.ts'
import { isSame, validateAnnotations, validateLabels, validateMetadata } from './metadata.ts'
import { dnsLabelErrors } from './names.ts'
import { validateDnsPolicy, validatePlacement } from './pod-placement-validation.ts'
import { duplicate, forbidden, invalid, invalids, required, unsupported, type FieldProblem } from './problems.ts'
import { billionthsOf } from './quantity.ts'
import type { Container, PodObject, PodSpec, PodTemplate, Volume } from './types.ts'

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never']
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]
/** In the order in which a second source is found. */
const VOLUME_SOURCES = [
  'emptyDir',
  'hostPath',
  'secret',
  'downwardAPI',
  'configMap',
  'persistentVolumeClaim',
  'projected',
  'ephemeral',
  'csi',
  'image',
  'nfs',
  'iscsi',
]
const MODE_MAX = 0o777

export function validatePod(pod: PodObject): FieldProblem[] {
  return [
    ...validateMetadata(pod.metadata, 'subdomain'),
    ...validatePodSpec(pod.spec, 'spec'),
    ...validateImageBlanks(pod.spec.containers ?? [], 'spec.containers'),
  ]
}

export function validatePodTemplate({ metadata, spec }: PodTemplate, field: string): FieldProblem[] {
  return [
    ...validateLabels(metadata?.labels, `${field}.labels`),
    ...validateAnnotations(metadata?.annotations, `${field}.annotations`),
    ...validatePodSpec(spec ?? { containers: [] }, `${field}.spec`),
  ]
}

function validatePodSpec(spec: PodSpec, field: string): FieldProblem[] {
  const {
    containers = [],
    initContainers = [],
    restartPolicy,
    terminationGracePeriodSeconds: graceSeconds = 30,
  } = spec as Partial<PodSpec>
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name))
  const problems = [
    ...validateVolumes(spec.volumes ?? [], `${field}.volumes`),
    ...validateContainers(containers, `${field}.containers`, { volumes, graceSeconds }),
    ...validateInitContainers(initContainers, containers, `${field}.initContainers`, { volumes, graceSeconds }),
  ]
  if (restartPolicy === undefined || (restartPolicy as string) === '') problems.push(required(`${field}.restartPolicy`))
  else if (!RESTART_POLICIES.includes(restartPolicy))
    problems.push(unsupported(`${field}.restartPolicy`, restartPolicy, RESTART_POLICIES))
  const { nodeSelector } = spec as { nodeSelector?: Record<string, string> }
  problems.push(...validateDnsPolicy(spec, field))
  problems.push(...validateLabels(nodeSelector, `${field}.nodeSelector`))
  problems.push(...validatePlacement(spec, field))
  return problems
}

/** Templates take blanks around an image; Pods do not. */
function validateImageBlanks(containers: readonly Container[], field: string): FieldProblem[] {
  return containers.flatMap(({ image = '' }, index) =>
    image !== '' && image !== image.trim()
      ? [invalid(`${field}[${index}].image`, image, 'must not have leading or trailing whitespace')]
      : [],
  )
}

function validateVolumes(volumes: readonly Volume[], field: string): FieldProblem[] {
  const names = new Set<string>()
  return volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`
    const { name } = volume
    const problems = validateSource(volume, at)
    if (name === undefined || name === '') problems.push(required(`${at}.name`))
    else {
      const errors = dnsLabelErrors(name)
      problems.push(...invalids(`${at}.name`, name, errors))
      if (errors.length === 0 && names.has(name)) problems.push(duplicate(`${at}.name`, name))
      names.add(name)
    }
    return problems
  })
}

function validateSource(volume: Volume, field: string): FieldProblem[] {
  const given = volume as unknown as Readonly<Record<string, unknown>>
  const [first, ...others] = VOLUME_SOURCES.filter((source) => given[source] !== undefined)
  const more = others.map((source) => forbidden(`${field}.${source}`, 'may not specify more than 1 volume type'))
  if (first === undefined && Object.keys(given).length < 2) return [required(field, 'must specify a volume type')]
  switch (first ?? '') {
    case 'hostPath':
      return [...validateHostPath(volume.hostPath ?? { path: '' }, `${field}.hostPath`), ...more]
    case 'secret':
      return [
        ...((volume.secret?.secretName ?? '') === '' ? [required(`${field}.secret.secretName`)] : []),
        ...validateFiles(volume.secret, `${field}.secret`),
        ...more,
      ]
    case 'configMap':
      return [
        ...((volume.configMap?.name ?? '') === '' ? [required(`${field}.configMap.name`)] : []),
        ...validateFiles(volume.configMap, `${field}.configMap`),
        ...more,
      ]
    case 'emptyDir':
      return [...validateSizeLimit(volume, `${field}.emptyDir.sizeLimit`), ...more]
    default:
      return more
  }
}

function validateSizeLimit(volume: Volume, field: string): FieldProblem[] {
  const { sizeLimit } = volume.emptyDir as { readonly sizeLimit?: string }
  const isNegative = sizeLimit !== undefined && (billionthsOf(sizeLimit) ?? 0n) < 0n
  return isNegative ? [forbidden(field, 'SizeLimit field must be a valid resource quantity')] : []
}

interface Files {
  readonly defaultMode?: number
  readonly items?: readonly { readonly key?: string; readonly path?: string; readonly mode?: number }[]
}

/** The keys of a ConfigMap or a Secret that become files. */
function validateFiles(given: unknown, field: string): FieldProblem[] {
  const { defaultMode, items = [] } = (given ?? {}) as Files
  return [
    ...validateMode(defaultMode, `${field}.defaultMode`),
    ...items.flatMap(({ key = '', path = '', mode }, index) => {
      const at = `${field}.items[${index}]`
      return [
        ...(key === '' ? [required(`${at}.key`)] : []),
        ...(path === '' ? [required(`${at}.path`)] : []),
        ...(path.startsWith('/') ? [invalid(`${at}.path`, path, 'must be a relative path')] : []),
        ...(path.split('/').includes('..') ? [invalid(`${at}.path`, path, "must not contain '..'")] : []),
        ...validateMode(mode, `${at}.mode`),
      ]
    }),
  ]
}

function validateMode(mode: number | undefined, field: string): FieldProblem[] {
  if (mode === undefined || (mode >= 0 && mode <= MODE_MAX)) return []
  return [invalid(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
}

function validateHostPath({ path, type = '' }: { path: string; type?: string }, field: string): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (path === undefined || path === '') problems.push(required(`${field}.path`))
  else if (path.split('/').includes('..')) problems.push(invalid(`${field}.path`, path, "must not contain '..'"))
  if (!HOST_PATH_TYPES.includes(type)) problems.push(unsupported(`${field}.type`, type, HOST_PATH_TYPES))
  return problems
}

const UPDATABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** A Pod's spec is fixed, but for its images and a little more. */
export function validatePodUpdate(pod: PodObject, current: PodObject): FieldProblem[] {
  const before = fixedPart(current)
  const after = fixedPart(pod)
  const deadline = validateDeadlineUpdate(pod, current)
  if (deadline.length > 0 || isSame(before, after)) return deadline
  return [forbidden('spec', `${UPDATABLE}\n${difference(before, after)}`)]
}

function fixedPart({ spec }: PodObject): unknown {
  const { activeDeadlineSeconds, tolerations, terminationGracePeriodSeconds, nodeName, ...rest } = spec as PodSpec & {
    tolerations?: unknown
  }
  void [activeDeadlineSeconds, tolerations, terminationGracePeriodSeconds, nodeName]
  const withoutImage = ({ image, ...container }: Container): unknown => {
    void image
    return container
  }
  return {
    ...rest,
    containers: (rest.containers ?? []).map(withoutImage),
    ...(rest.initContainers === undefined ? {} : { initContainers: rest.initContainers.map(withoutImage) }),
  }
}

/** The lines of both that differ, with a little around them, as `diff -u` shows one piece. */
const CONTEXT_LINES = 3

function difference(before: unknown, after: unknown): string {
  const old = JSON.stringify(before, undefined, 1).split('\n')
  const now = JSON.stringify(after, undefined, 1).split('\n')
  let start = 0
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start += 1
  let end = 0
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end += 1
  const head = old.slice(Math.max(0, start - CONTEXT_LINES), start).map((line) => ` ${line}`)
  const removed = old.slice(start, old.length - end).map((line) => `-${line}`)
  const added = now.slice(start, now.length - end).map((line) => `+${line}`)
  const tail = old
    .slice(old.length - end)
    .slice(0, CONTEXT_LINES)
    .map((line) => ` ${line}`)
  const from = Math.max(0, start - CONTEXT_LINES) + 1
  const header = `@@ -${from},${head.length + removed.length + tail.length} +${from},${head.length + added.length + tail.length} @@`
  return [header, ...head, ...removed, ...added, ...tail].join('\n')
}

/** An active deadline may only come closer. */
function validateDeadlineUpdate(pod: PodObject, current: PodObject): FieldProblem[] {
  const field = 'spec.activeDeadlineSeconds'
  const [before, after] = [current.spec.activeDeadlineSeconds, pod.spec.activeDeadlineSeconds]
  if (before === undefined || before === after) return []
  if (after === undefined) return [invalid(field, null, 'must not update from a positive integer to nil value')]
  return after > before ? [invalid(field, after, 'must be less than or equal to previous value')] : []
}

/** What is odd but taken. */
export function podSpecWarnings(spec: PodSpec | undefined, field: string): string[] {
  const grace = spec?.terminationGracePeriodSeconds
  const warnings = [...(spec?.initContainers ?? []).entries()].flatMap(([index, container]) =>
    portWarnings(container, `${field}.initContainers[${index}]`),
  )
  for (const [index, container] of (spec?.containers ?? []).entries())
    warnings.push(...portWarnings(container, `${field}.containers[${index}]`))
  const { imagePullSecrets = [] } = (spec ?? {}) as { readonly imagePullSecrets?: readonly { name?: string }[] }
  for (const [index, { name = '' }] of imagePullSecrets.entries())
    if (name === '') warnings.unshift(`${field}.imagePullSecrets[${index}].name: invalid empty name ""`)
  if (grace !== undefined && grace < 0)
    warnings.push(
      `${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    )
  return warnings
}

function portWarnings({ ports = [] }: Container, field: string): string[] {
  const first = new Map<string, number>()
  return ports.flatMap(({ name = '', hostPort = 0, containerPort, protocol = '', hostIP = '' }, index) => {
    const at = `${field}.ports[${index}]`
    const key = `${protocol}/${containerPort}/${hostPort}/${hostIP}`
    const same = first.get(key)
    if (same === undefined) first.set(key, index)
    const text = `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`
    return [
      ...(hostIP !== '' && hostPort === 0 ? [`${at}: hostIP set without hostPort: ${text}`] : []),
      ...(same === undefined ? [] : [`${at}: duplicate port definition with ${field}.ports[${same}]`]),
    ]
  })
}
