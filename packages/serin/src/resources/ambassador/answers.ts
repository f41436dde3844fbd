/**
 * How serin answers to each field of Ambassador's kinds that it does not treat exactly as Emissary does.
 * docs/reference/mapping.md is the whole table; a test compares the two.
 */
import type { Answer } from './module.ts'

export interface FieldAnswer {
  readonly answer: Exclude<Answer, 'same'>
  /** For people: why it has no effect or is refused, or what is safer. */
  readonly because: string
  /** A resource with this field is not used at all, as in Emissary. */
  readonly drops?: boolean
  /** A value that asks for nothing, so that nothing need be said. */
  readonly unless?: (value: unknown) => boolean
}

const safer = (because: string): FieldAnswer => ({ answer: 'safer', because })
const noEffect = (because: string): FieldAnswer => ({ answer: 'no-effect', because })
const refused = (because: string, drops = false): FieldAnswer => ({ answer: 'refused', because, drops })

const PER_MAPPING = 'each version of a route has its own; Emissary merges them over the group'
const OWN_CLUSTER = 'each Mapping gets what it asks for; in Emissary the first one of a service wins'
const ADDRESSES = 'the system decides which addresses it can reach'
const CONVERSION = 'it only serves conversion between versions of the CRD'

/** By kind, then field of `spec`. A field that is not here is the same as in Emissary. */
export const ANSWERS: Readonly<Record<string, Readonly<Record<string, FieldAnswer>>>> = {
  Mapping: {
    weight: safer('an illegal weight keeps the last good split; in Emissary the route is lost'),
    prefix_regex: safer('a pattern that RE2 lacks takes out this Mapping; in Emissary the whole configuration'),
    add_request_headers: safer(PER_MAPPING),
    add_response_headers: safer(PER_MAPPING),
    remove_request_headers: safer(PER_MAPPING),
    remove_response_headers: safer(PER_MAPPING),
    regex_rewrite: safer(PER_MAPPING),
    retry_policy: safer(PER_MAPPING),
    cors: safer(PER_MAPPING),
    allow_upgrade: safer(PER_MAPPING),
    use_websocket: safer(PER_MAPPING),
    priority: safer(PER_MAPPING),
    connect_timeout_ms: safer(OWN_CLUSTER),
    cluster_idle_timeout_ms: safer(OWN_CLUSTER),
    cluster_max_connection_lifetime_ms: safer(OWN_CLUSTER),
    circuit_breakers: safer(OWN_CLUSTER),
    health_checks: safer(OWN_CLUSTER),
    keepalive: safer('idle_time works; Emissary reads another name'),
    labels: safer('omit_if_not_present works; Emissary ignores it'),
    error_response_overrides: safer('it works; Emissary 4 drops the Mapping'),
    bypass_error_response_overrides: safer('it works; Emissary 4 does not read it'),
    outlier_detection: refused('it is not supported, neither here nor by Emissary', true),
    envoy_override: refused('there is no Envoy that it could change; Emissary does not read it either'),
    modules: noEffect('Emissary does not read it either'),
    enable_ipv4: noEffect(ADDRESSES),
    enable_ipv6: noEffect(ADDRESSES),
    v2ExplicitTLS: noEffect(CONVERSION),
    v2BoolHeaders: noEffect(CONVERSION),
    v2BoolQueryParameters: noEffect(CONVERSION),
  },
  TCPMapping: {
    weight: safer('shares are what the weights say; Emissary gives 23/77 for 30/70'),
    circuit_breakers: safer(OWN_CLUSTER),
    idle_timeout_ms: safer('it works; Emissary does not read it'),
    stats_name: safer('it works; Emissary does not read it'),
    enable_ipv4: noEffect(ADDRESSES),
    enable_ipv6: noEffect(ADDRESSES),
    v2ExplicitTLS: noEffect(CONVERSION),
  },
  Host: {
    acmeProvider: {
      ...noEffect('certificates come from Secrets; Emissary does not ask for any either'),
      unless: (value) => (value as { authority?: string }).authority?.toLowerCase() === 'none',
    },
    previewUrl: noEffect('it belongs to Edge Stack; Emissary does not read it either'),
    tlsSecret: safer('a Secret that goes bad keeps the last good certificate'),
  },
  Listener: {
    http2MaxConcurrentStreams: noEffect('the bound on streams is fixed'),
  },
  TLSContext: {
    redirect_cleartext_from: noEffect("a Host's requestPolicy says it; Emissary does not read it either"),
    v2CACertChainFile: noEffect(CONVERSION),
  },
  AuthService: {
    auth_service: safer('a broken AuthService with no good version before lets nobody in; in Emissary everybody'),
    v2ExplicitTLS: noEffect(CONVERSION),
  },
  RateLimitService: {
    grpc: noEffect('the status of a refused call is 429, for gRPC RESOURCE_EXHAUSTED; Emissary ignores it as well'),
    v2ExplicitTLS: noEffect(CONVERSION),
  },
}
