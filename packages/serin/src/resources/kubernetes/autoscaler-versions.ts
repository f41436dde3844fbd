/** HorizontalPodAutoscaler: autoscaling/v1 knows one target for the CPU where v2 has a list of metrics. Pure. */
import type { KubeObject } from '../object.ts'

interface SpecV1 {
  readonly targetCPUUtilizationPercentage?: number
}

interface StatusV1 {
  readonly currentCPUUtilizationPercentage?: number
}

interface MetricV2 {
  readonly type: string
  readonly resource?: {
    readonly name: string
    readonly target?: { readonly type: string; readonly averageUtilization?: number }
    readonly current?: { readonly averageUtilization?: number }
  }
}

const isCpu = ({ type, resource }: MetricV2): boolean => type === 'Resource' && resource?.name === 'cpu'

export function autoscalerToV2(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = (object.spec ?? {}) as SpecV1
  const { currentCPUUtilizationPercentage: current, ...status } = (object.status ?? {}) as StatusV1
  const metrics =
    target === undefined
      ? {}
      : {
          metrics: [
            {
              type: 'Resource',
              resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } },
            },
          ],
        }
  const currentMetrics =
    current === undefined
      ? {}
      : { currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }] }
  return {
    ...object,
    spec: { ...spec, ...metrics },
    ...(object.status === undefined ? {} : { status: { ...status, ...currentMetrics } }),
  }
}

export function autoscalerFromV2(object: KubeObject): KubeObject {
  const { metrics = [], behavior, ...spec } = (object.spec ?? {}) as { metrics?: MetricV2[]; behavior?: unknown }
  const {
    currentMetrics = [],
    conditions,
    ...status
  } = (object.status ?? {}) as {
    currentMetrics?: MetricV2[] | null
    conditions?: unknown
  }
  void behavior
  void conditions
  const target = metrics.find(isCpu)?.resource?.target?.averageUtilization
  const current = (currentMetrics ?? []).find(isCpu)?.resource?.current?.averageUtilization
  return {
    ...object,
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    ...(object.status === undefined
      ? {}
      : { status: { ...status, ...(current === undefined ? {} : { currentCPUUtilizationPercentage: current }) } }),
  }
}
