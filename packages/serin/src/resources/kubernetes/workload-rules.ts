/** Deployments and ReplicaSets: defaults and validation. */
import { isSame, validateMetadata } from './metadata.ts'
import { labelValueErrors, qualifiedNameErrors } from './names.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { podSpecWarnings, validatePodTemplate } from './pod-validation.ts'
import { forbidden, invalid, invalids, nonNegative, required, unsupported, type FieldProblem } from './problems.ts'
import { validateLabels } from './metadata.ts'
import type { KindRules } from './kind-rules.ts'
import type {
  DeploymentObject,
  DeploymentSpec,
  IntOrString,
  LabelSelector,
  PodTemplate,
  ReplicaSetObject,
} from './types.ts'

const SELECTOR_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist']
const PERCENT =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"

export const DEPLOYMENT_RULES: KindRules<DeploymentObject> = {
  defaults({ spec }) {
    spec.replicas ??= 1
    spec.revisionHistoryLimit ??= 10
    spec.progressDeadlineSeconds ??= 600
    const strategy = (spec.strategy ??= {})
    if (strategy.type === undefined || strategy.type === '') strategy.type = 'RollingUpdate'
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {})
      rolling.maxUnavailable ??= '25%'
      rolling.maxSurge ??= '25%'
    }
    defaultTemplate(spec.template)
  },
  convert(object) {
    object.spec ??= {} as DeploymentSpec
    object.spec.template ??= { spec: { containers: [] } }
  },
  prepareCreate(object) {
    object.status = {}
  },
  validate: ({ metadata, spec }) => [...validateMetadata(metadata, 'subdomain'), ...validateDeploymentSpec(spec)],
  validateUpdate: ({ spec }, current) => immutableSelector(spec.selector, current.spec.selector),
  validateStatus: ({ status }) => validateCounts(status ?? {}),
  warnings: ({ spec }) => podSpecWarnings(spec.template?.spec, 'spec.template.spec'),
  generation: { countsAnnotations: true },
}

/** No Pod is counted that is not there. */
function validateCounts(status: NonNullable<DeploymentObject['status']>): FieldProblem[] {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status
  const counts = { replicas, updatedReplicas, readyReplicas, availableReplicas }
  const problems = Object.entries(counts).flatMap(([name, count]) => nonNegative(`status.${name}`, count))
  const above = 'cannot be greater than status.replicas'
  if (updatedReplicas > replicas) problems.push(invalid('status.updatedReplicas', updatedReplicas, above))
  if (readyReplicas > replicas) problems.push(invalid('status.readyReplicas', readyReplicas, above))
  if (availableReplicas > replicas) problems.push(invalid('status.availableReplicas', availableReplicas, above))
  if (availableReplicas > readyReplicas)
    problems.push(invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'))
  return problems
}

export const REPLICA_SET_RULES: KindRules<ReplicaSetObject> = {
  defaults({ spec }) {
    spec.replicas ??= 1
    defaultTemplate(spec.template)
  },
  convert(object) {
    object.spec ??= {} as ReplicaSetObject['spec']
    object.spec.template ??= { spec: { containers: [] } }
  },
  prepareCreate(object) {
    object.status = { replicas: 0 }
  },
  validate: ({ metadata, spec }) => [
    ...validateMetadata(metadata, 'subdomain'),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateSelectorAndTemplate(spec),
  ],
  validateUpdate: ({ spec }, current) => immutableSelector(spec.selector, current.spec.selector),
  warnings: ({ spec }) => podSpecWarnings(spec.template?.spec, 'spec.template.spec'),
}

function defaultTemplate(template: PodTemplate): void {
  template.spec ??= { containers: [] }
  defaultPodSpec(template.spec)
}

function immutableSelector(selector: LabelSelector | undefined, current: LabelSelector | undefined): FieldProblem[] {
  return isSame(selector, current) ? [] : [invalid('spec.selector', shown(selector), 'field is immutable')]
}

function validateDeploymentSpec(spec: DeploymentSpec): FieldProblem[] {
  const problems = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateSelectorAndTemplate(spec),
    ...validateStrategy(spec),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds),
  ]
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec
  if (deadline !== undefined && deadline <= minReadySeconds) {
    problems.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  }
  return problems
}

/** The template is looked at only when the selector makes sense. */
function validateSelectorAndTemplate({
  selector,
  template,
}: Pick<DeploymentSpec, 'selector' | 'template'>): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (selector === undefined) problems.push(required('spec.selector'))
  else {
    problems.push(...validateSelector(selector, 'spec.selector'))
    if (isEmpty(selector))
      problems.push(invalid('spec.selector', shown(selector), 'empty selector is invalid for deployment'))
    if (!isUsable(selector)) return [...problems, invalid('spec.selector', shown(selector), 'invalid label selector')]
  }
  return [...problems, ...validateTemplate(template, selector)]
}

function validateTemplate(template: PodTemplate, selector: LabelSelector | undefined): FieldProblem[] {
  const field = 'spec.template'
  const problems: FieldProblem[] = []
  const labels = template.metadata?.labels
  if ((selector === undefined || !isEmpty(selector)) && !matches(selector, labels ?? {})) {
    problems.push(invalid(`${field}.metadata.labels`, sorted(labels), '`selector` does not match template `labels`'))
  }
  problems.push(...validatePodTemplate(template, field))
  const { restartPolicy, activeDeadlineSeconds } = template.spec
  if (restartPolicy !== 'Always' && ((restartPolicy ?? '') as string) !== '') {
    problems.push(unsupported(`${field}.spec.restartPolicy`, restartPolicy, ['Always']))
  }
  if (activeDeadlineSeconds !== undefined) {
    problems.push(
      forbidden(`${field}.spec.activeDeadlineSeconds`, 'activeDeadlineSeconds in ReplicaSet is not Supported'),
    )
  }
  return problems
}

/** As Go writes it: maps in the order of their keys. */
function shown(selector: LabelSelector | undefined): unknown {
  if (selector === undefined) return undefined
  const { matchLabels, matchExpressions } = selector
  return {
    ...(matchLabels === undefined ? {} : { matchLabels: sorted(matchLabels) }),
    ...(matchExpressions === undefined
      ? {}
      : { matchExpressions: matchExpressions.map((one) => ({ ...one, key: one.key ?? '' })) }),
  }
}

function sorted(labels: Readonly<Record<string, string>> | undefined): unknown {
  return labels === undefined
    ? undefined
    : Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isEmpty({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length + matchExpressions.length === 0
}

/** An absent selector matches nothing. */
function matches(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (selector === undefined) return false
  const byLabel = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  const byExpression = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    const isAmong = value !== undefined && values.includes(value)
    return operator === 'In' ? isAmong : !isAmong
  })
  return byLabel && byExpression
}

function validateSelector(selector: LabelSelector, field: string): FieldProblem[] {
  const problems = validateLabels(selector.matchLabels, `${field}.matchLabels`)
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${field}.matchExpressions[${index}]`
    if (['In', 'NotIn'].includes(operator) && values.length === 0) {
      problems.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    }
    if (['Exists', 'DoesNotExist'].includes(operator) && values.length > 0) {
      problems.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    }
    if (!SELECTOR_OPERATORS.includes(operator))
      problems.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    problems.push(...invalids(`${at}.key`, key ?? '', qualifiedNameErrors(key ?? '')))
    for (const [position, value] of values.entries()) {
      problems.push(...invalids(`${at}.values[${position}]`, value, labelValueErrors(value)))
    }
  }
  return problems
}

/** Whether it can be made a selector at all. */
function isUsable(selector: LabelSelector): boolean {
  return validateSelector(selector, '').length === 0
}

function validateStrategy({ strategy = {} }: DeploymentSpec): FieldProblem[] {
  const field = 'spec.strategy'
  const { type, rollingUpdate } = strategy
  if (type === 'Recreate') {
    if (rollingUpdate === undefined) return []
    return [forbidden(`${field}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
  }
  if (type !== 'RollingUpdate') {
    const shown = { Type: type ?? '', RollingUpdate: rollingUpdate ?? null }
    return [unsupported(field, shown, ['Recreate', 'RollingUpdate'])]
  }
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {}
  const at = `${field}.rollingUpdate`
  const problems = [
    ...validateAmount(maxUnavailable, `${at}.maxUnavailable`),
    ...validateAmount(maxSurge, `${at}.maxSurge`),
  ]
  if (amount(maxUnavailable) === 0 && amount(maxSurge) === 0) {
    problems.push(invalid(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  }
  if (typeof maxUnavailable === 'string' && amount(maxUnavailable) > 100) {
    problems.push(invalid(`${at}.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'))
  }
  return problems
}

function validateAmount(value: IntOrString | undefined, field: string): FieldProblem[] {
  if (typeof value === 'number') return nonNegative(field, value)
  return value === undefined || /^[0-9]+%$/.test(value) ? [] : [invalid(field, value, PERCENT)]
}

function amount(value: IntOrString | undefined): number {
  return typeof value === 'number' ? value : Number.parseInt(value ?? '0', 10) || 0
}
