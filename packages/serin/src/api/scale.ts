/** The `scale` subresource: an autoscaling/v1 Scale made from and written to a workload. */
import { isCustom } from '../resources/kubernetes/custom.ts'
import type { KubeObject } from '../resources/object.ts'
import { selector, type Loose } from '../resources/kubernetes/loose.ts'
import { StoreError } from '../store/store.ts'
import { applyPatch } from '../store/patch.ts'
import { bodyFormat, parseYaml } from './decode.ts'
import { readBody } from './body.ts'
import { writeOptions } from './options.ts'
import { readPatch } from './patches.ts'
import { checkName, keyOf, missing, type Answer, type ResourceRequest } from './resources.ts'
import { noSuchResource, notAllowed } from './status.ts'

interface Scale extends KubeObject {
  spec: { replicas?: number }
}

export async function serveScale(request: ResourceRequest): Promise<Answer> {
  const { store, route } = request
  if (!route.kind.subresources.includes('scale') && !isCustom(route.kind)) throw noSuchResource()
  const target = await store.get(route.kind, keyOf(route))
  if (target === undefined || !route.kind.subresources.includes('scale')) throw missing(route)
  switch (request.request.method ?? '') {
    case 'GET':
      return { code: 200, body: scaleOf(target) }
    case 'PUT':
      return write(request, await fromBody(request))
    case 'PATCH': {
      const patch = await readPatch(route, request.request, request.query)
      const scale = scaleOf(target)
      const patched = applyPatch(
        route.kind,
        scale,
        patch.type === 'apply' ? { type: 'merge', body: patch.body } : patch,
      ) as Scale
      return write(request, patched)
    }
    default:
      throw notAllowed()
  }
}

async function fromBody(request: ResourceRequest): Promise<Scale> {
  const format = bodyFormat(request.request.headers['content-type'])
  const text = await readBody(request.request)
  const value = format === 'yaml' ? parseYaml(text) : parseJson(text)
  const scale = value as Partial<Scale> | null
  if (typeof scale !== 'object' || scale?.metadata === undefined) {
    throw new StoreError('BadRequest', 'the object provided is unrecognized (must be of type Scale)')
  }
  return scale as Scale
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new StoreError('BadRequest', 'the object provided is unrecognized (must be of type Scale): not JSON')
  }
}

async function write({ store, route, request, query }: ResourceRequest, scale: Scale): Promise<Answer> {
  checkName(scale, route.name ?? '')
  const replicas = scale.spec?.replicas ?? 0
  if (!Number.isInteger(replicas) || replicas < 0) throw invalidReplicas(scale, replicas)
  const options = writeOptions(query, 'UpdateOptions', request.headers['user-agent'], false)
  const resourceVersion = scale.metadata.resourceVersion
  const updated = await store.patch(
    route.kind,
    keyOf(route),
    {
      type: 'merge',
      body: {
        ...(resourceVersion === undefined || resourceVersion === '' ? {} : { metadata: { resourceVersion } }),
        spec: { replicas },
      },
    },
    { ...options, subresource: 'scale' },
  )
  return { code: 200, body: scaleOf(updated) }
}

function scaleOf({ metadata, spec, status }: KubeObject): Scale {
  const { replicas, selector: found } = (spec ?? {}) as { replicas?: number; selector?: Loose }
  const current = (status as { replicas?: number } | undefined)?.replicas ?? 0
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  const meta = { name, namespace, uid, resourceVersion, creationTimestamp }
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: JSON.parse(JSON.stringify(meta)) as KubeObject['metadata'],
    spec: replicas === undefined || replicas === 0 ? {} : { replicas },
    status: { replicas: current, selector: selector(found) },
  }
}

function invalidReplicas(scale: Scale, replicas: unknown): StoreError {
  const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`
  return new StoreError(
    'Invalid',
    `Scale.autoscaling ${JSON.stringify(scale.metadata.name)} is invalid: spec.replicas: ${message}`,
    {
      details: {
        name: scale.metadata.name,
        group: 'autoscaling',
        kind: 'Scale',
        causes: [{ reason: 'FieldValueInvalid', message, field: 'spec.replicas' }],
      },
    },
  )
}
