/** What a Pod's spec says of where and as whom it runs, and of its names: checked in the order in which Kubernetes does it. Pure. */
import { dnsLabelErrors, ipErrors, qualifiedNameErrors, subdomainErrors } from './names.ts'
import { invalid, invalids, required, unsupported, type FieldProblem } from './problems.ts'
import type { PodSpec } from './types.ts'

const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const OPERATORS = ['Equal', 'Exists']
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
const UNSATISFIABLE = ['DoNotSchedule', 'ScheduleAnyway']
const PREEMPTION_POLICIES = ['PreemptLowerPriority', 'Never']
const SYSTEMS = ['linux', 'windows']
const ID_MAX = 2_147_483_647

interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly effect?: string
  readonly value?: string
  readonly tolerationSeconds?: number
}

interface Spread {
  readonly maxSkew?: number
  readonly topologyKey?: string
  readonly whenUnsatisfiable?: string
}

/** Fields that nothing here acts on. */
interface FullSpec extends PodSpec {
  dnsPolicy?: string
  dnsConfig?: { readonly nameservers?: readonly string[] }
  affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms?: readonly unknown[] }
    }
  }
  topologySpreadConstraints?: readonly Spread[]
  tolerations?: readonly Toleration[]
  hostAliases?: readonly { readonly ip?: string; readonly hostnames?: readonly string[] }[]
  priorityClassName?: string
  preemptionPolicy?: string
  os?: { readonly name?: string }
}

export function validateDnsPolicy(spec: PodSpec, field: string): FieldProblem[] {
  const { dnsPolicy } = spec as FullSpec
  return dnsPolicy === undefined || DNS_POLICIES.includes(dnsPolicy)
    ? []
    : [unsupported(`${field}.dnsPolicy`, dnsPolicy, DNS_POLICIES)]
}

export function validatePlacement(spec: PodSpec, field: string): FieldProblem[] {
  const full: FullSpec = spec
  return [
    ...validateIds(full.securityContext, `${field}.securityContext`, ['fsGroup', 'runAsUser', 'runAsGroup']),
    ...validateAffinity(full, `${field}.affinity.nodeAffinity`),
    ...validateDns(full, `${field}.dnsConfig`),
    ...(full.readinessGates ?? []).flatMap(({ conditionType }, index) =>
      invalids(`${field}.readinessGates[${index}].conditionType`, conditionType, qualifiedNameErrors(conditionType)),
    ),
    ...(full.topologySpreadConstraints ?? []).flatMap((constraint, index) =>
      validateSpread(constraint, `${field}.topologySpreadConstraints[${index}]`),
    ),
    ...validateName(full.serviceAccountName, `${field}.serviceAccountName`, subdomainErrors),
    ...validateName(full.nodeName, `${field}.nodeName`, subdomainErrors),
    ...validateDeadline(full.activeDeadlineSeconds, `${field}.activeDeadlineSeconds`),
    ...validateName(full.hostname, `${field}.hostname`, dnsLabelErrors),
    ...validateName(full.subdomain, `${field}.subdomain`, dnsLabelErrors),
    ...(full.tolerations ?? []).flatMap((toleration, index) =>
      validateToleration(toleration, `${field}.tolerations[${index}]`),
    ),
    ...validateAliases(full, `${field}.hostAliases`),
    ...validateName(full.priorityClassName, `${field}.priorityClassName`, subdomainErrors),
    ...validateChoice(full.preemptionPolicy, `${field}.preemptionPolicy`, PREEMPTION_POLICIES),
    ...validateChoice(full.os?.name, `${field}.os`, SYSTEMS),
  ]
}

/** Of users and groups. */
export function validateIds<Name extends string>(
  context: Readonly<Partial<Record<Name, unknown>>> | undefined,
  field: string,
  names: readonly Name[],
): FieldProblem[] {
  return names.flatMap((name) => {
    const id = context?.[name]
    return typeof id !== 'number' || (id >= 0 && id <= ID_MAX)
      ? []
      : [invalid(`${field}.${name}`, id, `must be between 0 and ${ID_MAX}, inclusive`)]
  })
}

function validateName(
  name: string | undefined,
  field: string,
  errorsOf: (name: string) => readonly string[],
): FieldProblem[] {
  return name === undefined || name === '' ? [] : invalids(field, name, errorsOf(name))
}

function validateChoice(value: string | undefined, field: string, choices: readonly string[]): FieldProblem[] {
  return value === undefined || choices.includes(value) ? [] : [unsupported(field, value, choices)]
}

function validateAffinity({ affinity }: FullSpec, field: string): FieldProblem[] {
  const wanted = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (wanted === undefined || (wanted.nodeSelectorTerms ?? []).length > 0) return []
  const at = `${field}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`
  return [required(at, 'must have at least one node selector term')]
}

function validateDns({ dnsPolicy, dnsConfig }: FullSpec, field: string): FieldProblem[] {
  if (dnsPolicy === 'None' && dnsConfig === undefined)
    return [required(field, 'must provide `dnsConfig` when `dnsPolicy` is None')]
  const servers = dnsConfig?.nameservers ?? []
  if (dnsPolicy === 'None' && servers.length === 0)
    return [required(`${field}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  return servers.flatMap((address, index) => invalids(`${field}.nameservers[${index}]`, address, ipErrors(address)))
}

function validateSpread(
  { maxSkew = 0, topologyKey = '', whenUnsatisfiable = '' }: Spread,
  field: string,
): FieldProblem[] {
  return [
    ...(maxSkew > 0 ? [] : [invalid(`${field}.maxSkew`, maxSkew, 'must be greater than zero')]),
    ...(topologyKey === '' ? [required(`${field}.topologyKey`, 'can not be empty')] : []),
    ...validateChoice(whenUnsatisfiable, `${field}.whenUnsatisfiable`, UNSATISFIABLE),
  ]
}

function validateDeadline(seconds: number | undefined, field: string): FieldProblem[] {
  if (seconds === undefined || (seconds >= 1 && seconds <= ID_MAX)) return []
  return [invalid(field, seconds, `must be between 1 and ${ID_MAX}, inclusive`)]
}

function validateToleration(toleration: Toleration, field: string): FieldProblem[] {
  const { key = '', operator = '', effect = '', tolerationSeconds, value = '' } = toleration
  const problems: FieldProblem[] = []
  if (key !== '') problems.push(...invalids(`${field}.key`, key, qualifiedNameErrors(key)))
  else if (operator !== 'Exists') {
    const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    problems.push(invalid(`${field}.operator`, operator, why))
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    problems.push(invalid(`${field}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  if (operator === 'Exists' && value !== '')
    problems.push(invalid(`${field}.operator`, toleration, "value must be empty when `operator` is 'Exists'"))
  else if (operator !== '') problems.push(...validateChoice(operator, `${field}.operator`, OPERATORS))
  return effect === '' ? problems : [...problems, ...validateChoice(effect, `${field}.effect`, EFFECTS)]
}

function validateAliases({ hostAliases = [] }: FullSpec, field: string): FieldProblem[] {
  return hostAliases.flatMap(({ ip = '', hostnames = [] }, index) => [
    ...invalids(`${field}[${index}].ip`, ip, ipErrors(ip)),
    ...hostnames.flatMap((name, at) => invalids(`${field}[${index}].hostnames[${at}]`, name, subdomainErrors(name))),
  ])
}
