/** AuthService over gRPC: Envoy's envoy.service.auth.v3.Authorization. */
import type { AuthSettings } from '../model/settings.ts'
import { type Check, type HeldRequest, PASS, replyLines, type Verdict } from './check.ts'
import type { ClusterState } from './cluster-state.ts'
import { plainChanges } from './compiled-changes.ts'
import type { CompiledForward } from './compiled-destination.ts'
import { callGrpc } from './grpc-call.ts'
import {
  CHECK_PATH,
  type CheckResponse,
  decodeCheckResponse,
  encodeCheckRequest,
  type Field,
  type HeaderOption,
} from './grpc-messages.ts'
import type { SideNeeds } from './side-request.ts'

const FORBIDDEN = 403

export class AuthGrpcCheck implements Check {
  private readonly settings: AuthSettings
  private readonly cluster: ClusterState | null
  private readonly needs: SideNeeds

  /** Without its cluster every question fails. */
  constructor(settings: AuthSettings, cluster: ClusterState | null, needs: SideNeeds) {
    this.settings = settings
    this.cluster = cluster
    this.needs = needs
  }

  wants(forward: CompiledForward, framing: number): number {
    if (forward.forward.bypassAuth) return -1
    return framing === 0 ? 0 : (this.settings.includeBody?.bytesMax ?? 0)
  }

  decide(request: HeldRequest, done: (verdict: Verdict) => void): () => void {
    const { cluster, needs } = this
    const { timeoutMs, includeBody } = this.settings
    if (includeBody && !includeBody.allowPartial && !request.bodyEnded) {
      done({
        kind: 'answer',
        reply: { status: 413, body: 'Payload Too Large' },
        code: 'auth-body-too-large',
        flag: '-',
      })
      return nothing
    }
    if (cluster === null) {
      done(this.failure())
      return nothing
    }
    const message = this.message(request)
    return callGrpc({
      cluster,
      path: CHECK_PATH,
      message,
      timeoutMs,
      needs,
      done: (answer) => done(this.verdict(answer)),
    })
  }

  private message(request: HeldRequest): Uint8Array {
    const { includeBody } = this.settings
    const body = includeBody ? request.body.subarray(0, includeBody.bytesMax).toString() : ''
    return encodeCheckRequest({
      sourceAddress: request.externalAddress,
      sourcePort: 0,
      id: request.requestId,
      method: request.method,
      headers: headersOf(request),
      path: request.path,
      host: request.authority,
      scheme: request.proto,
      size: request.bodyEnded ? request.body.length : -1,
      protocol: 'HTTP/1.1',
      body,
      startMs: Date.now(),
      contextExtensions: Object.entries(request.forward.forward.authContextExtensions ?? {}),
    })
  }

  private verdict(octets: Uint8Array | null): Verdict {
    let response: CheckResponse
    try {
      if (octets === null) return this.failure()
      response = decodeCheckResponse(octets)
    } catch {
      // No message of this kind: the service is at fault.
      return this.failure()
    }
    return response.code === 0 ? passed(response) : denied(response)
  }

  private failure(): Verdict {
    const { failureModeAllow, statusOnError } = this.settings
    if (failureModeAllow) return PASS
    return { kind: 'answer', reply: { status: statusOnError, body: '' }, code: 'auth-failed', flag: 'UAEX' }
  }
}

/** As Envoy's attribute: lower case, repeated ones joined with a comma, pseudo fields among them. */
function headersOf({ head, method, path, authority, proto }: HeldRequest): readonly Field[] {
  const fields = new Map<string, string>([
    [':method', method],
    [':path', path],
    [':authority', authority],
    [':scheme', proto],
  ])
  for (const line of head.toString('latin1').split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = fields.get(name)
    if (name !== 'host') fields.set(name, before === undefined ? value : `${before},${value}`)
  }
  return [...fields]
}

function passed({ headers, headersToRemove, responseHeaders }: CheckResponse): Verdict {
  const pick = (append: boolean): Field[] => fieldsOf(headers.filter((option) => option.append === append))
  return {
    kind: 'pass',
    set: pick(false),
    append: pick(true),
    remove: headersToRemove,
    answerChanges: responseHeaders.length === 0 ? null : plainChanges(fieldsOf(responseHeaders), true),
  }
}

function denied({ denied: given }: CheckResponse): Verdict {
  const status = given !== null && given.status >= 200 ? given.status : FORBIDDEN
  const fields = fieldsOf(given?.headers ?? []).filter(([name]) => name.toLowerCase() !== 'content-length')
  const contentType = fields.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  return {
    kind: 'answer',
    reply: {
      status,
      body: given?.body ?? '',
      lines: replyLines(fields.filter(([name]) => name.toLowerCase() !== 'content-type')),
      ...(contentType !== undefined && { contentType }),
    },
    code: 'auth-denied',
    flag: 'UAEX',
  }
}

function fieldsOf(options: readonly HeaderOption[]): Field[] {
  return options.filter(({ name }) => !name.startsWith(':')).map(({ name, value }): Field => [name, value])
}

function nothing(): void {
  // it is decided at once
}
