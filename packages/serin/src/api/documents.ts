/** What is no resource: discovery, OpenAPI, version and health. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { aggregated, apiGroup, apiVersions, groupList, resourceList } from './discovery.ts'
import { contentTypeOf, encode, negotiate } from './negotiate.ts'
import {
  documentAt,
  OPENAPI_V2_PROTOBUF,
  OPENAPI_V2_PROTOBUF_TYPE,
  openApiIndex,
  openApiV2,
  openApiV2Protobuf,
} from './openapi.ts'
import type { Route } from './route.ts'
import { notAllowed } from './status.ts'

/** The version of the API that this server keeps to, as `kubectl version` shows it. */
const VERSION = {
  major: '1',
  minor: '34',
  emulationMajor: '1',
  emulationMinor: '34',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '33',
  gitVersion: 'v1.34.4',
  gitCommit: 'serin',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
} as const

export interface DocumentRequest {
  readonly route: Extract<Route, { type: 'discovery' | 'document' | 'not-found' }>
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly isReady: boolean
  readonly address: string
  readonly hasMetrics: boolean
}

/** Throws StoreError `MethodNotAllowed`, `NotAcceptable`. */
export function serveDocument(asked: DocumentRequest): void {
  const { route, request, response } = asked
  const known = route.type === 'discovery' || (route.type === 'document' && isDocument(route.path))
  if (!known) return sendText(response, 404, '404 page not found\n')
  if (request.method !== 'GET') throw notAllowed()
  if (route.type === 'discovery') return sendDiscovery(asked, route)
  sendDocument(asked, route.path)
}

const HEALTH = /^\/(healthz|livez|readyz)(\/[\w-]+)*$/

function isDocument(path: string): boolean {
  return (
    path === '/' ||
    path === '/version' ||
    path === '/openapi/v2' ||
    path === '/openapi/v3' ||
    HEALTH.test(path) ||
    (path.startsWith('/openapi/v3/') && documentAt(path.slice('/openapi/v3/'.length)) !== undefined)
  )
}

function sendDiscovery(
  asked: DocumentRequest,
  { group, version }: { readonly group?: string; readonly version?: string },
): void {
  const { request, response, address } = asked
  const representation = negotiate(request.headers.accept)
  const root = version === undefined && (group === undefined || group === '')
  if (root && representation.as === 'APIGroupDiscoveryList') {
    const body = aggregated(group === undefined ? 'apis' : 'api', representation.version ?? 'v2', {
      metrics: asked.hasMetrics,
    })
    return sendBody(response, contentTypeOf(representation), encode(body, representation))
  }
  const plain = { format: representation.format }
  const body = discoveryDocument({ group, version, address, metrics: asked.hasMetrics })
  sendBody(response, contentTypeOf(plain), encode(body, plain))
}

function discoveryDocument({
  group,
  version,
  address,
  metrics,
}: {
  readonly group: string | undefined
  readonly version: string | undefined
  readonly address: string
  readonly metrics: boolean
}): unknown {
  if (group === undefined) return groupList({ metrics })
  if (version !== undefined) return resourceList({ group, version })
  return group === '' ? apiVersions(address) : apiGroup(group)
}

function sendDocument({ request, response, isReady }: DocumentRequest, path: string): void {
  if (path === '/version') return sendJson(response, VERSION)
  if (path === '/')
    return sendJson(response, {
      paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
    })
  if (path === '/openapi/v2') {
    if (request.headers.accept?.includes(OPENAPI_V2_PROTOBUF) !== true)
      return sendBody(response, 'application/json', openApiV2())
    return sendBody(response, OPENAPI_V2_PROTOBUF_TYPE, openApiV2Protobuf())
  }
  if (path === '/openapi/v3') return sendText(response, 200, JSON.stringify(openApiIndex()))
  if (path.startsWith('/openapi/v3/')) {
    return sendBody(response, 'application/json', documentAt(path.slice('/openapi/v3/'.length))?.text ?? '')
  }
  sendHealth(response, path, (request.url ?? '').includes('verbose'), isReady)
}

function sendHealth(response: ServerResponse, path: string, verbose: boolean, isReady: boolean): void {
  const name = path.split('/')[1] ?? ''
  if (!isReady) return sendText(response, 500, `[-]store failed\n${name} check failed\n`)
  sendText(response, 200, verbose ? `[+]ping ok\n[+]store ok\n${name} check passed\n` : 'ok')
}

function sendJson(response: ServerResponse, body: unknown): void {
  sendBody(response, 'application/json', `${JSON.stringify(body)}\n`)
}

function sendBody(response: ServerResponse, type: string, text: string | Buffer): void {
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-cache, private',
  })
  response.end(text)
}

function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(text)
}
