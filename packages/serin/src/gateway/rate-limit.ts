/** RateLimitService: Envoy's envoy.service.ratelimit.v3, asked with the descriptors that a Mapping's labels make of a request. */
import type { RateLimitDescriptor, RateLimitEntry } from '../model/destination.ts'
import type { RateLimitSettings } from '../model/settings.ts'
import { type Check, type HeldRequest, PASS, replyLines, type Verdict } from './check.ts'
import type { ClusterState } from './cluster-state.ts'
import { plainChanges } from './compiled-changes.ts'
import type { CompiledForward } from './compiled-destination.ts'
import { callGrpc } from './grpc-call.ts'
import {
  decodeRateLimitResponse,
  encodeRateLimitRequest,
  type Field,
  RATE_LIMIT_PATH,
  type RateLimitResponse,
} from './grpc-messages.ts'
import type { SideNeeds } from './side-request.ts'

/** What we are called where a service tells gateways apart. */
const SOURCE_CLUSTER = 'serin'

const FAILED: Verdict = { kind: 'answer', reply: { status: 500, body: '' }, code: 'rate-limit-failed', flag: 'RLSE' }

export class RateLimitCheck implements Check {
  private readonly settings: RateLimitSettings
  private readonly cluster: ClusterState | null
  private readonly needs: SideNeeds

  constructor(settings: RateLimitSettings, cluster: ClusterState | null, needs: SideNeeds) {
    this.settings = settings
    this.cluster = cluster
    this.needs = needs
  }

  wants(forward: CompiledForward): number {
    return forward.forward.rateLimits.length === 0 ? -1 : 0
  }

  decide(request: HeldRequest, done: (verdict: Verdict) => void): () => void {
    const { cluster, needs } = this
    const { domain, timeoutMs } = this.settings
    const { rateLimits } = request.forward.forward
    const descriptors = rateLimits.flatMap((descriptor) => {
      const fields = descriptorOf(descriptor, request)
      return fields === null ? [] : [fields]
    })
    if (descriptors.length === 0 || cluster === null) {
      done(descriptors.length === 0 ? PASS : this.failure())
      return nothing
    }
    const message = encodeRateLimitRequest(domain, descriptors)
    return callGrpc({
      cluster,
      path: RATE_LIMIT_PATH,
      message,
      timeoutMs,
      needs,
      done: (answer) => done(this.verdict(answer)),
    })
  }

  private verdict(octets: Uint8Array | null): Verdict {
    let response: RateLimitResponse
    try {
      if (octets === null) return this.failure()
      response = decodeRateLimitResponse(octets)
    } catch {
      // No message of this kind: the service is at fault.
      return this.failure()
    }
    const { overLimit, requestHeaders, responseHeaders, body } = response
    if (!overLimit) {
      const answerChanges = responseHeaders.length === 0 ? null : plainChanges(responseHeaders, true)
      return { kind: 'pass', append: requestHeaders, answerChanges }
    }
    const lines = replyLines([['x-envoy-ratelimited', 'true'], ...responseHeaders])
    return { kind: 'answer', reply: { status: 429, body: Buffer.from(body), lines }, code: 'rate-limited', flag: 'RL' }
  }

  private failure(): Verdict {
    return this.settings.failureModeDeny ? FAILED : PASS
  }
}

/** Null: one of its entries has no value, so the whole of it is not asked for (Envoy). Pure. */
export function descriptorOf({ entries }: RateLimitDescriptor, request: HeldRequest): readonly Field[] | null {
  const fields: Field[] = []
  for (const entry of entries) {
    const field = fieldOf(entry, request)
    if (field !== null) fields.push(field)
    else if (entry.kind !== 'request-header' || !entry.omitIfAbsent) return null
  }
  return fields.length === 0 ? null : fields
}

function fieldOf(entry: RateLimitEntry, request: HeldRequest): Field | null {
  switch (entry.kind) {
    case 'generic-key':
      return [entry.key, entry.value]
    case 'remote-address':
      return ['remote_address', request.externalAddress]
    case 'source-cluster':
      return ['source_cluster', SOURCE_CLUSTER]
    case 'destination-cluster':
      return ['destination_cluster', request.forward.forward.cluster]
    case 'request-header': {
      const value = headerOf(request, entry.header)
      return value === null ? null : [entry.key, value]
    }
  }
}

function headerOf({ head, authority, method, path }: HeldRequest, name: string): string | null {
  if (name === ':authority' || name === 'host') return authority
  if (name === ':method') return method
  if (name === ':path') return path
  const values = head
    .toString('latin1')
    .split('\r\n')
    .slice(1)
    .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name)
  return values.length === 0 ? null : values.map((line) => line.slice(line.indexOf(':') + 1).trim()).join(',')
}

function nothing(): void {
  // it is decided at once
}
