/** AuthService over HTTP, as Envoy's ext_authz asks it: the same method and path without the body, and only the fields that are allowed. */
import type { AuthSettings } from '../model/settings.ts'
import { type Check, type HeldRequest, PASS, replyLines, type Verdict } from './check.ts'
import type { ClusterState } from './cluster-state.ts'
import type { CompiledForward } from './compiled-destination.ts'
import { SideRequest, type SideAnswer, type SideNeeds } from './side-request.ts'

/** Fields that we write ourselves. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'x-forwarded-for',
  'x-forwarded-proto',
])
/** Of the answer: they belong to its own message. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
  'server',
])

export class AuthHttpCheck implements Check {
  private readonly settings: AuthSettings
  private readonly cluster: ClusterState | null
  private readonly needs: SideNeeds
  private readonly requestFields: ReadonlySet<string>
  private readonly answerFields: ReadonlySet<string>

  /** Without its cluster every question fails. */
  constructor(settings: AuthSettings, cluster: ClusterState | null, needs: SideNeeds) {
    this.settings = settings
    this.cluster = cluster
    this.needs = needs
    this.requestFields = new Set(settings.allowedRequestHeaders)
    this.answerFields = new Set(settings.allowedAuthorizationHeaders)
  }

  wants(forward: CompiledForward, framing: number): number {
    if (forward.forward.bypassAuth) return -1
    return framing === 0 ? 0 : (this.settings.includeBody?.bytesMax ?? 0)
  }

  decide(request: HeldRequest, done: (verdict: Verdict) => void): () => void {
    const { includeBody, timeoutMs } = this.settings
    const tooMuch = includeBody !== undefined && !request.bodyEnded && !includeBody.allowPartial
    if (tooMuch) {
      done({
        kind: 'answer',
        reply: { status: 413, body: 'Payload Too Large' },
        code: 'auth-body-too-large',
        flag: '-',
      })
      return nothing
    }
    if (this.cluster === null) {
      done(this.verdict(null))
      return nothing
    }
    const side = new SideRequest({
      cluster: this.cluster,
      octets: this.requestOctets(request),
      timeoutMs,
      needs: this.needs,
      done: (answer) => done(this.verdict(answer)),
    })
    side.start()
    return () => side.cancel()
  }

  private requestOctets(request: HeldRequest): Buffer {
    const { settings } = this
    const body = settings.includeBody ? request.body.subarray(0, settings.includeBody.bytesMax) : Buffer.alloc(0)
    const lines = [`${request.method} ${settings.pathPrefix}${request.path} HTTP/1.1`, `host: ${request.authority}`]
    for (const line of request.head.toString('latin1').split('\r\n').slice(1)) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase()
      if (this.requestFields.has(name) && !OWN_FIELDS.has(name)) lines.push(line)
    }
    for (const [name, value] of settings.addAuthHeaders) lines.push(`${name}: ${value}`)
    lines.push(`x-forwarded-for: ${request.forwardedFor}`, `x-forwarded-proto: ${request.proto}`)
    lines.push('x-envoy-internal: true', `x-envoy-expected-rq-timeout-ms: ${settings.timeoutMs}`)
    if (settings.includeBody && body.length > 0)
      lines.push(`x-envoy-auth-partial-body: ${!request.bodyEnded || body.length < request.body.length}`)
    lines.push(`content-length: ${body.length}`)
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  }

  /** 200 lets it pass; no answer, or a 5xx, is a failure of the service; anything else is its refusal, passed on. */
  private verdict(answer: SideAnswer | null): Verdict {
    const { failureModeAllow, statusOnError } = this.settings
    if (answer === null || answer.status >= 500) {
      if (failureModeAllow) return PASS
      return { kind: 'answer', reply: { status: statusOnError, body: '' }, code: 'auth-failed', flag: 'UAEX' }
    }
    const fields = answer.fields.filter(([name]) => this.answerFields.has(name) && !MESSAGE_FIELDS.has(name))
    if (answer.status === 200) return { kind: 'pass', set: fields }
    const contentType = answer.fields.find(([name]) => name === 'content-type')?.[1]
    return {
      kind: 'answer',
      reply: {
        status: answer.status,
        body: answer.body,
        lines: replyLines(fields.filter(([name]) => name !== 'content-type')),
        ...(contentType !== undefined && { contentType }),
      },
      code: 'auth-denied',
      flag: 'UAEX',
    }
  }
}

/** Several AuthServices share the load. */
export class SharedCheck implements Check {
  private readonly checks: readonly Check[]
  private turn = 0

  constructor(checks: readonly Check[]) {
    this.checks = checks
  }

  wants(forward: CompiledForward, framing: number): number {
    return Math.max(...this.checks.map((check) => check.wants(forward, framing)))
  }

  decide(request: HeldRequest, done: (verdict: Verdict) => void): () => void {
    this.turn = (this.turn + 1) % this.checks.length
    return this.checks[this.turn]!.decide(request, done)
  }
}

function nothing(): void {
  // it is decided at once
}
