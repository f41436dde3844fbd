/** The verbs on stored kinds: from a routed request to an answer. */
import type { IncomingMessage } from 'node:http'
import type { KubeObject } from '../resources/object.ts'
import { isCustom } from '../resources/kubernetes/custom.ts'
import { qualifiedPlural } from '../store/registry.ts'
import type { EmbeddedStore } from '../store/embedded.ts'
import { StoreError, type DeleteOptions, type ListOptions, type ObjectKey, type Patch } from '../store/store.ts'
import { presentList, presentObject, type IncludeObject } from './answer.ts'
import { readBody } from './body.ts'
import { bodyFormat, decodeBody } from './decode.ts'
import type { Representation } from './negotiate.ts'
import { deleteOptions, writeOptions } from './options.ts'
import { readPatch } from './patches.ts'
import type { ResourceRoute, Verb } from './route.ts'
import { deletedStatus, noSuchResource, notAllowed } from './status.ts'
import { fromStored, toStored } from './versions.ts'

/** A delete of a collection goes on in pieces of this many objects at a time. */
const DELETE_AT_ONCE = 50
/** Kinds whose delete answers the object and not a Status. */
const RETURNS_DELETED: readonly string[] = ['/Pod', '/Service', '/ServiceAccount']

export interface Answer {
  readonly code: number
  readonly body: unknown
}

export interface ResourceRequest {
  readonly store: EmbeddedStore
  readonly route: ResourceRoute
  readonly request: IncomingMessage
  readonly query: URLSearchParams
  readonly representation: Representation
  readonly include: IncludeObject
  readonly onWarning: (text: string) => void
}

/** Which verb a method means on a route; throws StoreError `MethodNotAllowed`. Pure. */
export function verbOf(method: string, route: ResourceRoute): Verb {
  const onObject = route.name !== undefined
  const wholeCluster = route.kind.namespaced && route.namespace === undefined
  switch (method) {
    case 'GET':
      return onObject ? 'get' : 'list'
    case 'POST':
      if (onObject || wholeCluster) throw notAllowed()
      return 'create'
    case 'PUT':
      if (!onObject) throw notAllowed()
      return 'update'
    case 'PATCH':
      if (!onObject) throw notAllowed()
      return 'patch'
    case 'DELETE':
      if (route.subresource !== undefined || (wholeCluster && !onObject)) throw notAllowed()
      return onObject ? 'delete' : 'deletecollection'
    default:
      throw notAllowed()
  }
}

export async function serveGet(request: ResourceRequest): Promise<Answer> {
  const { store, route, query } = request
  subresourceOf(route)
  const key = keyOf(route)
  // The list checks the version, as if it were one of this object.
  const version = query.get('resourceVersion')
  if (version !== null && version !== '') await store.list(route.kind, { limit: 1, resourceVersion: version })
  const object = await store.get(route.kind, key)
  if (object === undefined) throw missing(route)
  return { code: 200, body: present(request, object) }
}

export async function serveList(request: ResourceRequest, options: ListOptions): Promise<Answer> {
  const { store, route, representation, include } = request
  const list = await store.list(route.kind, {
    ...options,
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
  })
  const items = list.items.map((object) => fromStored(route.kind, route.version, object))
  return { code: 200, body: presentList(route.kind, route.version, { ...list, items }, representation, include) }
}

export async function serveCreate(request: ResourceRequest): Promise<Answer> {
  const { store, route, query } = request
  const options = {
    ...writeOptions(query, 'CreateOptions', request.request.headers['user-agent'], false),
    onWarning: request.onWarning,
  }
  const object = await decoded(request, options)
  const { kind, namespace } = route
  checkNamespace(object, namespace)
  const placed = { ...object, metadata: { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) } }
  if (!kind.namespaced) delete placed.metadata.namespace
  const made = await store.create(kind, toStored(kind, route.version, placed), options)
  return { code: 201, body: present(request, made) }
}

export async function serveUpdate(request: ResourceRequest): Promise<Answer> {
  const { store, route, query } = request
  const options = {
    ...writeOptions(query, 'UpdateOptions', request.request.headers['user-agent'], false),
    onWarning: request.onWarning,
  }
  const object = await decoded(request, options)
  const { kind, name = '', namespace } = route
  const given = object.metadata.name
  if (given === undefined || given === '') {
    throw new StoreError(
      'BadRequest',
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    )
  }
  checkName(object, name)
  checkNamespace(object, namespace)
  const { resourceVersion } = object.metadata
  if (resourceVersion !== undefined && resourceVersion !== '' && !/^\d+$/.test(resourceVersion)) {
    throw new StoreError('Unknown', `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`)
  }
  if (isCustom(kind) && (resourceVersion === undefined || resourceVersion === '')) throw needsVersion(route, name)
  const placed = { ...object, metadata: { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) } }
  const updated = await store.update(kind, toStored(kind, route.version, placed), {
    ...options,
    ...subresourceOf(route),
  })
  return { code: 200, body: present(request, updated) }
}

export async function servePatch(request: ResourceRequest): Promise<Answer> {
  const { store, route, query } = request
  const patch: Patch = await readPatch(route, request.request, query)
  const isApply = patch.type === 'apply'
  const options = {
    ...writeOptions(query, 'PatchOptions', request.request.headers['user-agent'], isApply),
    onWarning: request.onWarning,
  }
  const before = isApply ? await store.get(route.kind, keyOf(route)) : undefined
  const patched = await store.patch(route.kind, keyOf(route), patch, { ...options, ...subresourceOf(route) })
  return { code: isApply && before === undefined ? 201 : 200, body: present(request, patched) }
}

export async function serveDelete(request: ResourceRequest): Promise<Answer> {
  const { store, route, query } = request
  const options = deleteOptions(query, await optionsBody(request))
  const before = await store.get(route.kind, keyOf(route))
  const deleted = await store.delete(route.kind, keyOf(route), options)
  const stays =
    options.dryRun !== true && (await store.get(route.kind, keyOf(route)))?.metadata.uid === before?.metadata.uid
  const returned = RETURNS_DELETED.includes(`${route.kind.group}/${route.kind.kind}`)
  if ((stays && before !== undefined) || returned) return { code: 200, body: present(request, deleted) }
  return { code: 200, body: deletedStatus(route.kind, route.name ?? '', deleted.metadata.uid) }
}

export async function serveDeleteCollection(request: ResourceRequest, options: ListOptions): Promise<Answer> {
  const { store, route, query, representation, include } = request
  const how: DeleteOptions = deleteOptions(query, await optionsBody(request))
  const list = await store.list(route.kind, {
    ...options,
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
  })
  const deleted: KubeObject[] = []
  for (let index = 0; index < list.items.length; index += DELETE_AT_ONCE) {
    const piece = list.items.slice(index, index + DELETE_AT_ONCE)
    deleted.push(...(await Promise.all(piece.map((object) => deleteListed(request, object, how)))))
  }
  return {
    code: 200,
    body: presentList(route.kind, route.version, { ...list, items: deleted }, representation, include),
  }
}

/** One that is gone meanwhile is as good as deleted. */
async function deleteListed(
  { store, route }: ResourceRequest,
  object: KubeObject,
  how: DeleteOptions,
): Promise<KubeObject> {
  try {
    return await store.delete(route.kind, object.metadata, how)
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'NotFound') return object
    throw error
  }
}

async function optionsBody({ request }: ResourceRequest): Promise<unknown> {
  const text = await readBody(request)
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new StoreError('BadRequest', 'the body of a delete must be DeleteOptions')
  }
}

async function decoded(
  { request, route, onWarning }: ResourceRequest,
  options: { fieldValidation?: 'Ignore' | 'Warn' | 'Strict' },
): Promise<KubeObject> {
  const format = bodyFormat(request.headers['content-type'])
  const text = await readBody(request)
  return decodeBody(route.kind, route.version, text, format, { ...options, onWarning })
}

function present({ route, representation, include }: ResourceRequest, object: KubeObject): unknown {
  return presentObject(route.kind, fromStored(route.kind, route.version, object), representation, include)
}

export function keyOf({ kind, namespace, name = '' }: ResourceRoute): ObjectKey {
  return kind.namespaced && namespace !== undefined ? { namespace, name } : { name }
}

export function missing({ kind, name = '' }: ResourceRoute): StoreError {
  return new StoreError('NotFound', `${qualifiedPlural(kind)} ${JSON.stringify(name)} not found`, {
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural },
  })
}

export function checkName(object: KubeObject, name: string): void {
  if (object.metadata.name === name) return
  throw new StoreError(
    'BadRequest',
    `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
  )
}

function checkNamespace(object: KubeObject, namespace: string | undefined): void {
  const given = object.metadata.namespace
  if (given === undefined || given === '' || given === namespace) return
  throw new StoreError(
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  )
}

function needsVersion({ kind }: ResourceRoute, name: string): StoreError {
  const message = 'Invalid value: 0: must be specified for an update'
  return new StoreError(
    'Invalid',
    `${qualifiedPlural(kind)} ${JSON.stringify(name)} is invalid: metadata.resourceVersion: ${message}`,
    {
      details: {
        name,
        group: kind.group,
        kind: kind.plural,
        causes: [{ reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' }],
      },
    },
  )
}

/** Throws StoreError `NotFound` for a subresource that the kind does not have. */
function subresourceOf({ kind, subresource }: ResourceRoute): { readonly subresource?: 'status' } {
  if (subresource === undefined) return {}
  if (subresource === 'status' && kind.subresources.includes('status')) return { subresource }
  throw noSuchResource()
}
