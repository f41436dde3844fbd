/**
 * Subresources of Pods: `log`, `exec`, `attach`, `portforward`, `binding`, `eviction`. What they do to a pod is the kubelet's part
 * (`workloads/`), handed in as PodHandlers; here is the HTTP and the choice of the container.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Readable, Writable } from 'node:stream'
import { Pod } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import type { EmbeddedStore } from '../store/embedded.ts'
import { StoreError } from '../store/store.ts'
import type { LogOptions } from '../workloads/pods/access.ts'
import { readBody } from './body.ts'
import { serveExec } from './exec.ts'
import { deleteOptions, integer, isTrue } from './options.ts'
import { servePortForward } from './port-forward.ts'
import { keyOf, missing, type Answer, type ResourceRequest } from './resources.ts'
import type { ResourceRoute } from './route.ts'
import { noSuchResource, notAllowed } from './status.ts'

export interface ExecOptions {
  readonly container: string
  readonly command: readonly string[]
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** A command that runs in a container; much like a child process. */
export interface ExecSession {
  readonly stdin?: Writable
  readonly stdout?: Readable
  readonly stderr?: Readable
  /** Its exit code, once its output is at the end. */
  readonly exit: Promise<number>
  resize?(columns: number, rows: number): void
  /** The client has gone. */
  kill(): void
}

/** What the kubelet's part does. All of them may throw StoreErrors, which the client gets as a Status. */
export interface PodHandlers {
  /** Whole lines or parts of them, as octets. */
  log(pod: KubeObject, options: LogOptions): AsyncIterable<Uint8Array>
  exec?(pod: KubeObject, options: ExecOptions): Promise<ExecSession>
  /** A connection to a port of the pod, for `kubectl port-forward`. */
  connect?(pod: KubeObject, port: number): Promise<Duplex>
  /** Where people reach a port of the pod, for the message when a way to forward is not served: `127.0.0.1:34567`. */
  addressOf?(pod: KubeObject, port: number | undefined): string | undefined
}

interface PodSpec {
  readonly containers: readonly { readonly name: string }[]
  readonly initContainers?: readonly { readonly name: string }[]
}

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container'

/** Throws StoreError before the first octet only. */
export async function serveLog(
  handlers: PodHandlers | undefined,
  { store, route, request, query }: ResourceRequest,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET') throw notAllowed()
  const pod = await podOf(store, route)
  if (handlers === undefined) throw unavailable('logs')
  const log = handlers.log(pod, logOptions(pod, query))[Symbol.asyncIterator]()
  // Errors come with the first piece: only then is it a 200.
  const first = await log.next()
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private' })
  response.flushHeaders()
  response.on('close', () => void log.return?.()) // The client has gone: whatever the log still says is for nobody.
  let piece = first
  while (piece.done !== true && !response.destroyed) {
    if (!response.write(piece.value)) await drained(response)
    piece = await log.next()
  }
  response.end()
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve)
    response.once('close', resolve)
  })
}

function logOptions(pod: KubeObject, query: URLSearchParams): LogOptions {
  const sinceSeconds = integer(query, 'sinceSeconds')
  const sinceTime = query.get('sinceTime')
  const tailLines = integer(query, 'tailLines')
  const limitBytes = integer(query, 'limitBytes')
  if (tailLines !== undefined && tailLines < 0) throw invalidLog('tailLines', tailLines)
  if (limitBytes !== undefined && limitBytes < 1) throw invalidLog('limitBytes', limitBytes)
  const since =
    sinceSeconds === undefined
      ? sinceTime === null
        ? undefined
        : new Date(sinceTime)
      : new Date(Date.now() - sinceSeconds * 1000)
  return {
    container: containerOf(pod, query.get('container')),
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === undefined || Number.isNaN(since.getTime()) ? {} : { since }),
  }
}

function invalidLog(field: string, value: number): StoreError {
  const message = `Invalid value: ${value}: must be greater than or equal to ${field === 'limitBytes' ? 1 : 0}`
  return new StoreError('Invalid', `PodLogOptions "" is invalid: ${field}: ${message}`, {
    details: { kind: 'PodLogOptions', causes: [{ reason: 'FieldValueInvalid', message, field }] },
  })
}

/** Throws StoreError `BadRequest` for a container that is not there, and when several are and none was named. */
function containerOf(pod: KubeObject, given: string | null): string {
  const { containers, initContainers = [] } = pod.spec as PodSpec
  const { name } = pod.metadata
  if (given !== null && given !== '') {
    if ([...containers, ...initContainers].some((container) => container.name === given)) return given
    throw new StoreError('BadRequest', `container ${given} is not valid for pod ${name}`)
  }
  const preferred = pod.metadata.annotations?.[DEFAULT_CONTAINER]
  if (preferred !== undefined && containers.some((container) => container.name === preferred)) return preferred
  const [only] = containers
  if (containers.length === 1 && only !== undefined) return only.name
  const names = containers.map((container) => container.name).join(' ')
  throw new StoreError('BadRequest', `a container name must be specified for pod ${name}, choose one of: [${names}]`)
}

async function podOf(store: EmbeddedStore, route: ResourceRoute): Promise<KubeObject> {
  const pod = await store.get(Pod, keyOf(route))
  if (pod === undefined) throw missing(route)
  return pod
}

function unavailable(what: string): StoreError {
  return new StoreError('ServiceUnavailable', `${what} of pods are not available: no runtime serves pods here`)
}

export interface PodConnection {
  readonly handlers: PodHandlers | undefined
  readonly store: EmbeddedStore
  readonly route: ResourceRoute
  readonly query: URLSearchParams
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** An upgrade to WebSocket. Throws StoreError as long as nothing was answered. */
export async function connectPod(connection: PodConnection): Promise<void> {
  const { handlers, store, route, query } = connection
  const pod = await podOf(store, route)
  switch (route.subresource ?? '') {
    case 'exec': {
      const options = execOptions(pod, query)
      requireWebSocket(connection, 'exec')
      if (handlers?.exec === undefined) throw unavailable('commands')
      return serveExec(connection, handlers.exec.bind(handlers), pod, options)
    }
    case 'portforward':
      return servePortForward(connection, pod)
    case 'attach':
      throw new StoreError(
        'BadRequest',
        'attach is not served; `kubectl logs -f` shows what a container writes, `kubectl exec` runs a command in it',
      )
    default:
      throw noSuchResource()
  }
}

function requireWebSocket({ request }: PodConnection, what: string): void {
  if (request.headers.upgrade?.toLowerCase() === 'websocket') return
  throw new StoreError(
    'BadRequest',
    `${what} is served over WebSocket only, not over SPDY: use kubectl 1.31 or newer, or set KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true`,
  )
}

function execOptions(pod: KubeObject, query: URLSearchParams): ExecOptions {
  const command = query.getAll('command')
  if (command.length === 0)
    throw new StoreError('BadRequest', 'you must specify at least one command for the container')
  return {
    container: containerOf(pod, query.get('container')),
    command,
    stdin: isTrue(query.get('stdin')),
    stdout: isTrue(query.get('stdout')),
    stderr: isTrue(query.get('stderr')),
    tty: isTrue(query.get('tty')),
  }
}

/** Pods' subresources over plain HTTP: binding, eviction, and what needs an upgrade but did not ask for one. */
export async function servePodAction(handlers: PodHandlers | undefined, resource: ResourceRequest): Promise<Answer> {
  const { store, route, request } = resource
  const pod = await podOf(store, route)
  switch (route.subresource) {
    case 'binding':
      return bind(resource, pod, parse(await readBody(request)))
    case 'eviction': {
      const body = parse(await readBody(request)) as { deleteOptions?: unknown } | null
      await store.delete(Pod, keyOf(route), deleteOptions(resource.query, body?.deleteOptions))
      return { code: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } }
    }
    case 'exec':
      execOptions(pod, resource.query)
      if (handlers?.exec === undefined) throw unavailable('commands')
      throw new StoreError('BadRequest', 'Upgrade request required')
    case 'portforward':
    case 'attach':
      throw new StoreError('BadRequest', 'Upgrade request required')
    case undefined:
    default:
      throw noSuchResource()
  }
}

async function bind({ store, route, request }: ResourceRequest, pod: KubeObject, body: unknown): Promise<Answer> {
  if (request.method !== 'POST') throw notAllowed()
  const node = (body as { target?: { name?: string } } | undefined)?.target?.name
  if (node === undefined || node === '') throw new StoreError('BadRequest', 'the binding names no node (target.name)')
  const taken = (pod.spec as { nodeName?: string }).nodeName
  if (taken !== undefined) {
    throw new StoreError(
      'Conflict',
      `Operation cannot be fulfilled on pods/binding ${JSON.stringify(pod.metadata.name)}: pod ${pod.metadata.name} is already assigned to node ${JSON.stringify(taken)}`,
      {
        details: { name: pod.metadata.name, kind: 'pods/binding' },
      },
    )
  }
  await store.patch(
    Pod,
    keyOf(route),
    { type: 'merge', body: { spec: { nodeName: node } } },
    { fieldManager: 'scheduler' },
  )
  return { code: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new StoreError('BadRequest', 'the body is not JSON')
  }
}
