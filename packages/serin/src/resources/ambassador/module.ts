/** What the Module named `ambassador` may say in `spec.config`: names, types, and what each does here. */
import type { Schema } from '../schema.ts'
import {
  addedHeaders,
  anything,
  circuitBreakers,
  cors,
  errorResponses,
  flag,
  integer,
  keepalive,
  list,
  loadBalancer,
  map,
  oneOf,
  record,
  retryPolicy,
  text,
} from './fields.ts'
import type {
  CircuitBreakerSpec,
  CorsSpec,
  ErrorResponseSpec,
  KeepaliveSpec,
  LabelSpecifierSpec,
  LoadBalancerSpec,
  RetryPolicySpec,
} from './types.ts'

/** same: as Emissary. safer: as Emissary where that is legal. no-effect: read, and a warning says why it does nothing. refused: an error says why. */
export type Answer = 'same' | 'safer' | 'no-effect' | 'refused'

export interface ModuleField {
  readonly schema: Schema
  readonly answer: Answer
  /** Why it has no effect or is refused; what is safer. */
  readonly because?: string
}

const same = (schema: Schema): ModuleField => ({ schema, answer: 'same' })
const safer = (schema: Schema, because: string): ModuleField => ({ schema, answer: 'safer', because })
const noEffect = (because: string, schema: Schema = anything): ModuleField => ({ schema, answer: 'no-effect', because })

const NOT_IN_4 = 'Emissary 4 does not read it either'
const ENVOY_ONLY = 'it sets up Envoy itself'

const probe = record({ enabled: flag, prefix: text, service: text, rewrite: text })
const ipRules = list(record({ peer: text, remote: text }))

export const MODULE_FIELDS: Readonly<Record<string, ModuleField>> = {
  add_linkerd_headers: same(flag),
  admin_port: noEffect('there is no Envoy whose admin port it could be', integer),
  allow_chunked_length: noEffect(
    'a request with both Content-Length and chunked coding is refused: it could smuggle another one',
    flag,
  ),
  ambassador_id: noEffect('it belongs beside config, not in it'),
  auth_enabled: noEffect(NOT_IN_4, flag),
  buffer: same(record({ max_request_bytes: integer, max_request_time: integer })),
  buffer_limit_bytes: noEffect('buffers have a fixed bound here', integer),
  circuit_breakers: same(circuitBreakers),
  cluster_idle_timeout_ms: same(integer),
  cluster_max_connection_lifetime_ms: same(integer),
  cluster_request_timeout_ms: same(integer),
  cors: safer(cors, 'per Mapping, never merged over a canary group'),
  debug_mode: noEffect('serin explain tells more', flag),
  default_label_domain: same(text),
  default_labels: same(map(record({ defaults: list(anything) }))),
  default_labels_for_mappings: noEffect(NOT_IN_4),
  defaults: same(
    map(
      record({
        add_request_headers: addedHeaders,
        add_response_headers: addedHeaders,
        remove_request_headers: list(text),
        remove_response_headers: list(text),
        stats_name: text,
        add_linkerd_headers: flag,
        cors,
        retry_policy: retryPolicy,
        circuit_breakers: circuitBreakers,
        timeout_ms: integer,
        idle_timeout_ms: integer,
        connect_timeout_ms: integer,
        error_response_overrides: errorResponses,
      }),
    ),
  ),
  diagnostics: same(record({ enabled: flag, allow_non_local: flag })),
  enable_grpc_http11_bridge: noEffect('gRPC over HTTP/1.1 is not bridged', flag),
  enable_grpc_web: noEffect('gRPC-Web is not translated', flag),
  enable_http10: same(flag),
  enable_ipv4: noEffect('the system decides which addresses it can reach', flag),
  enable_ipv6: noEffect('the system decides which addresses it can reach', flag),
  envoy_log_format: same(anything),
  envoy_log_path: noEffect('the access log goes to standard output', text),
  envoy_log_type: same(oneOf('text', 'json', 'typed_json')),
  envoy_validation_timeout: noEffect('a configuration is checked as it is compiled, in milliseconds', integer),
  error_response_overrides: safer(errorResponses, 'Emissary 4 dropped it; here it works'),
  forward_client_cert_details: noEffect('client certificates are checked, not passed on', text),
  grpc_stats: noEffect('gRPC calls are counted as requests', anything),
  gzip: same(
    record({
      enabled: flag,
      min_content_length: integer,
      content_type: list(text),
      compression_level: text,
      compression_strategy: text,
      memory_level: integer,
      window_bits: integer,
      disable_on_etag_header: flag,
      remove_accept_encoding_header: flag,
    }),
  ),
  header_case_overrides: noEffect("Emissary 4's Envoy refuses the whole configuration over it", list(text)),
  headers_with_underscores_action: same(oneOf('ALLOW', 'REJECT_REQUEST', 'DROP_HEADER')),
  ip_allow: safer(ipRules, 'a bad address lets nobody in; Emissary would let everybody in'),
  ip_deny: same(ipRules),
  keepalive: safer(keepalive, 'idle_time works; Emissary reads another name'),
  listener_idle_timeout_ms: same(integer),
  liveness_probe: same(probe),
  load_balancer: same(loadBalancer),
  lua_scripts: noEffect('no foreign code runs in the gateway', text),
  max_request_headers_kb: same(integer),
  merge_slashes: same(flag),
  preserve_external_request_id: same(flag),
  proper_case: same(flag),
  prune_unreachable_routes: noEffect(NOT_IN_4, flag),
  readiness_probe: same(probe),
  regex_max_size: noEffect('the size of a regular expression is bound by time, not by a number', integer),
  regex_type: noEffect(NOT_IN_4, text),
  reject_requests_with_escaped_slashes: same(flag),
  resolver: same(text),
  retry_policy: safer(retryPolicy, 'per Mapping, never merged over a canary group'),
  rewrite: noEffect(NOT_IN_4),
  runtime_flags: noEffect(ENVOY_ONLY),
  server_name: same(text),
  service_port: noEffect('Listeners say which ports there are', integer),
  set_current_client_cert_details: noEffect('client certificates are checked, not passed on'),
  statsd: noEffect('metrics are read from /metrics'),
  strip_matching_host_port: same(flag),
  suppress_envoy_headers: same(flag),
  use_ambassador_namespace_for_service_resolution: same(flag),
  use_proxy_proto: noEffect("a Listener's protocol says it: HTTPPROXY", flag),
  use_remote_address: same(flag),
  x_forwarded_proto_redirect: noEffect("a Host's requestPolicy says it", flag),
  xff_num_trusted_hops: noEffect("a Listener's l7Depth says it", integer),
}

export const MODULE_SCHEMA: Schema = record(
  Object.fromEntries(Object.entries(MODULE_FIELDS).map(([name, { schema }]) => [name, schema])),
)

interface ProbeSpec {
  readonly enabled?: boolean
  readonly prefix?: string
  readonly service?: string
  readonly rewrite?: string
}

interface IpRuleSpec {
  readonly peer?: string
  readonly remote?: string
}

/** `config`, after validation. */
export interface ModuleSettingsSpec {
  readonly add_linkerd_headers?: boolean
  readonly buffer?: { readonly max_request_bytes?: number }
  readonly circuit_breakers?: readonly CircuitBreakerSpec[]
  readonly cluster_idle_timeout_ms?: number
  readonly cluster_max_connection_lifetime_ms?: number
  readonly cluster_request_timeout_ms?: number
  readonly cors?: CorsSpec
  readonly default_label_domain?: string
  readonly default_labels?: Readonly<Record<string, { readonly defaults?: readonly LabelSpecifierSpec[] }>>
  readonly defaults?: Readonly<Record<string, unknown>>
  readonly diagnostics?: { readonly enabled?: boolean }
  readonly enable_http10?: boolean
  readonly envoy_log_format?: string | Readonly<Record<string, string>>
  readonly envoy_log_type?: string
  readonly error_response_overrides?: readonly ErrorResponseSpec[]
  readonly gzip?: {
    readonly enabled?: boolean
    readonly min_content_length?: number
    readonly content_type?: readonly string[]
  }
  readonly headers_with_underscores_action?: string
  readonly ip_allow?: readonly IpRuleSpec[]
  readonly ip_deny?: readonly IpRuleSpec[]
  readonly keepalive?: KeepaliveSpec
  readonly listener_idle_timeout_ms?: number
  readonly liveness_probe?: ProbeSpec
  readonly load_balancer?: LoadBalancerSpec
  readonly max_request_headers_kb?: number
  readonly merge_slashes?: boolean
  readonly preserve_external_request_id?: boolean
  readonly proper_case?: boolean
  readonly readiness_probe?: ProbeSpec
  readonly reject_requests_with_escaped_slashes?: boolean
  readonly resolver?: string
  readonly retry_policy?: RetryPolicySpec
  readonly server_name?: string
  readonly strip_matching_host_port?: boolean
  readonly suppress_envoy_headers?: boolean
  readonly use_ambassador_namespace_for_service_resolution?: boolean
  readonly use_remote_address?: boolean
}
