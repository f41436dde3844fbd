/** HorizontalPodAutoscalers (autoscaling/v2): defaults and validation. */
import { validateMetadata } from './metadata.ts'
import { validateMetrics, validateReference } from './metric-validation.ts'
import { forbidden, invalid, required, unsupported, type FieldProblem } from './problems.ts'
import type { KindRules } from './kind-rules.ts'
import type { HorizontalPodAutoscalerObject, ScalingRules } from './types.ts'

const CPU_PERCENT = 80
const DOWN_WINDOW_SECONDS = 300

const UP: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const DOWN: ScalingRules = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

export const AUTOSCALER_RULES: KindRules<HorizontalPodAutoscalerObject> = {
  convert(object) {
    object.spec ??= { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 }
  },
  prepareCreate(object) {
    object.status = { desiredReplicas: 0, currentMetrics: null } as unknown as NonNullable<typeof object.status>
  },
  defaults({ spec }) {
    spec.minReplicas ??= 1
    if ((spec.metrics ?? []).length === 0) {
      spec.metrics = [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: CPU_PERCENT } },
        },
      ]
    }
    if (spec.behavior === undefined) return
    spec.behavior.scaleUp = { ...UP, ...spec.behavior.scaleUp }
    spec.behavior.scaleDown = { ...DOWN, ...spec.behavior.scaleDown }
  },
  validate({ metadata, spec }) {
    const { minReplicas = 1, maxReplicas = 0, scaleTargetRef } = spec as Partial<typeof spec>
    const problems = validateMetadata(metadata, 'subdomain')
    if (minReplicas < 1) problems.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'))
    if (maxReplicas < 1) problems.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'))
    if (maxReplicas < minReplicas) {
      problems.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
    }
    problems.push(...validateReference(scaleTargetRef, 'spec.scaleTargetRef'))
    const { apiVersion = '', kind } = (scaleTargetRef ?? {}) as { readonly apiVersion?: string; readonly kind?: string }
    if (!apiVersion.includes('/') && kind !== 'ReplicationController') {
      problems.push(invalid('spec.scaleTargetRef.apiVersion', apiVersion, 'apiVersion must specify API group'))
    }
    const isZero =
      minReplicas === 0 && !(spec.metrics ?? []).some(({ type }) => type === 'Object' || type === 'External')
    if (isZero) {
      const why = 'must specify at least one Object or External metric to support scaling to zero replicas'
      problems.push(forbidden('spec.metrics', why))
    }
    problems.push(...validateMetrics(spec))
    return [
      ...problems,
      ...validateBehavior(spec.behavior?.scaleUp, 'scaleUp'),
      ...validateBehavior(spec.behavior?.scaleDown, 'scaleDown'),
    ]
  },
}

const WINDOW_SECONDS_MAX = 3600
const PERIOD_SECONDS_MAX = 1800
const SELECT_POLICIES = ['Disabled', 'Max', 'Min']
const POLICY_TYPES = ['Percent', 'Pods']

function validateBehavior(rules: ScalingRules | undefined, which: 'scaleUp' | 'scaleDown'): FieldProblem[] {
  const field = `spec.behavior.${which}`
  const problems: FieldProblem[] = []
  const window = rules?.stabilizationWindowSeconds ?? (which === 'scaleDown' ? DOWN_WINDOW_SECONDS : 0)
  if (window < 0)
    problems.push(invalid(`${field}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'))
  if (window > WINDOW_SECONDS_MAX) {
    problems.push(
      invalid(`${field}.stabilizationWindowSeconds`, window, `must be less than or equal to ${WINDOW_SECONDS_MAX}`),
    )
  }
  const { selectPolicy, policies } = rules ?? {}
  if (selectPolicy !== undefined && !SELECT_POLICIES.includes(selectPolicy)) {
    problems.push(unsupported(`${field}.selectPolicy`, selectPolicy, SELECT_POLICIES))
  }
  if (policies?.length === 0) problems.push(required(`${field}.policies`, 'must specify at least one Policy'))
  for (const [index, { type, value, periodSeconds }] of (policies ?? []).entries()) {
    const at = `${field}.policies[${index}]`
    if (!POLICY_TYPES.includes(type)) problems.push(unsupported(`${at}.type`, type, POLICY_TYPES))
    if (!(value > 0)) problems.push(invalid(`${at}.value`, value, 'must be greater than zero'))
    if (!(periodSeconds > 0)) problems.push(invalid(`${at}.periodSeconds`, periodSeconds, 'must be greater than zero'))
    if (periodSeconds > PERIOD_SECONDS_MAX) {
      problems.push(
        invalid(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${PERIOD_SECONDS_MAX}`),
      )
    }
  }
  return problems
}
