/** What each of Ambassador's kinds may say in `spec` (getambassador.io/v3alpha1). Fields, types and defaults are Emissary's. */
import type { Schema } from '../schema.ts'
import { DESCRIPTIONS } from './descriptions.ts'
import {
  addedHeaders,
  ambassadorId,
  anything,
  circuitBreakers,
  cors,
  errorResponses,
  flag,
  healthChecks,
  integer,
  keepalive,
  labels,
  list,
  loadBalancer,
  map,
  oneOf,
  record,
  regexReplacement,
  retryPolicy,
  text,
  withDefault,
} from './fields.ts'

const mapping: Schema = record(
  {
    ambassador_id: ambassadorId,
    prefix: text,
    prefix_exact: withDefault(flag, false),
    prefix_regex: withDefault(flag, false),
    case_sensitive: withDefault(flag, true),
    hostname: text,
    host: text,
    host_regex: withDefault(flag, false),
    method: text,
    method_regex: withDefault(flag, false),
    headers: map(text),
    regex_headers: map(text),
    query_parameters: map(text),
    regex_query_parameters: map(text),
    precedence: withDefault(integer, 0),
    service: text,
    resolver: withDefault(text, 'kubernetes-service'),
    load_balancer: loadBalancer,
    weight: integer,
    rewrite: withDefault(text, '/'),
    regex_rewrite: regexReplacement,
    host_rewrite: text,
    auto_host_rewrite: withDefault(flag, false),
    host_redirect: withDefault(flag, false),
    path_redirect: text,
    prefix_redirect: text,
    regex_redirect: regexReplacement,
    redirect_response_code: withDefault(oneOf(301, 302, 303, 307, 308), 301),
    add_request_headers: addedHeaders,
    add_response_headers: addedHeaders,
    remove_request_headers: list(text),
    remove_response_headers: list(text),
    add_linkerd_headers: withDefault(flag, false),
    timeout_ms: withDefault(integer, 3000),
    idle_timeout_ms: withDefault(integer, 300_000),
    connect_timeout_ms: withDefault(integer, 3000),
    cluster_idle_timeout_ms: withDefault(integer, 3_600_000),
    cluster_max_connection_lifetime_ms: integer,
    retry_policy: retryPolicy,
    circuit_breakers: circuitBreakers,
    health_checks: healthChecks,
    keepalive,
    cors,
    allow_upgrade: list(text),
    use_websocket: withDefault(flag, false),
    grpc: withDefault(flag, false),
    tls: text,
    shadow: withDefault(flag, false),
    bypass_auth: withDefault(flag, false),
    auth_context_extensions: map(text),
    error_response_overrides: errorResponses,
    bypass_error_response_overrides: withDefault(flag, false),
    labels,
    priority: withDefault(text, 'default'),
    cluster_tag: text,
    stats_name: text,
    docs: record({ path: text, url: text, ignored: flag, display_name: text, timeout_ms: integer }),
    dns_type: withDefault(text, 'strict_dns'),
    respect_dns_ttl: withDefault(flag, false),
    enable_ipv4: withDefault(flag, true),
    enable_ipv6: withDefault(flag, false),
    outlier_detection: text,
    modules: list(anything),
    envoy_override: anything,
    v2ExplicitTLS: record({ serviceScheme: text, tls: text }),
    v2BoolHeaders: list(text),
    v2BoolQueryParameters: list(text),
  },
  'prefix',
  'service',
)

const tcpMapping: Schema = record(
  {
    ambassador_id: ambassadorId,
    port: integer,
    service: text,
    host: text,
    address: text,
    weight: integer,
    resolver: withDefault(text, 'kubernetes-service'),
    tls: text,
    circuit_breakers: circuitBreakers,
    cluster_tag: text,
    stats_name: text,
    enable_ipv4: withDefault(flag, true),
    enable_ipv6: withDefault(flag, false),
    idle_timeout_ms: text,
    v2ExplicitTLS: record({ serviceScheme: text, tls: text }),
  },
  'port',
  'service',
)

const tlsVersion = oneOf('v1.0', 'v1.1', 'v1.2', 'v1.3')
const secretReference = record({ name: text, namespace: text })
const labelSelector = record({
  matchLabels: map(text),
  matchExpressions: list(record({ key: text, operator: text, values: list(text) }, 'key', 'operator')),
})

const hostTls = record({
  cert_chain_file: text,
  private_key_file: text,
  ca_secret: text,
  cacert_chain_file: text,
  alpn_protocols: text,
  cert_required: flag,
  min_tls_version: text,
  max_tls_version: text,
  cipher_suites: list(text),
  ecdh_curves: list(text),
  redirect_cleartext_from: integer,
  sni: text,
  crl_secret: text,
  v2CACertChainFile: text,
})

const host: Schema = record({
  ambassador_id: ambassadorId,
  hostname: withDefault(text, '*'),
  selector: labelSelector,
  mappingSelector: labelSelector,
  acmeProvider: record({
    authority: text,
    email: text,
    privateKeySecret: record({ name: text }),
    registration: text,
  }),
  tlsSecret: secretReference,
  requestPolicy: record({
    insecure: record({
      action: withDefault(oneOf('Redirect', 'Reject', 'Route'), 'Redirect'),
      additionalPort: integer,
    }),
  }),
  previewUrl: record({ enabled: flag, type: oneOf('Path') }),
  tlsContext: record({ name: text }),
  tls: hostTls,
})

const listener: Schema = record(
  {
    ambassador_id: ambassadorId,
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    protocol: oneOf('HTTP', 'HTTPS', 'HTTPPROXY', 'HTTPSPROXY', 'TCP', 'TLS', 'UDP'),
    protocolStack: list(oneOf('HTTP', 'PROXY', 'TLS', 'TCP', 'UDP')),
    securityModel: oneOf('XFP', 'SECURE', 'INSECURE'),
    statsPrefix: text,
    l7Depth: withDefault(integer, 0),
    hostBinding: record({
      namespace: record({ from: oneOf('SELF', 'ALL') }),
      selector: labelSelector,
    }),
    http2MaxConcurrentStreams: integer,
  },
  'port',
  'securityModel',
  'hostBinding',
)

const tlsContext: Schema = record({
  ambassador_id: ambassadorId,
  hosts: list(text),
  secret: text,
  cert_chain_file: text,
  private_key_file: text,
  ca_secret: text,
  cacert_chain_file: text,
  alpn_protocols: text,
  cert_required: flag,
  min_tls_version: tlsVersion,
  max_tls_version: tlsVersion,
  cipher_suites: list(text),
  ecdh_curves: list(text),
  secret_namespacing: flag,
  redirect_cleartext_from: integer,
  sni: text,
  crl_secret: text,
  v2CACertChainFile: text,
})

const module: Schema = record({ ambassador_id: ambassadorId, config: anything })

const authService: Schema = record(
  {
    ambassador_id: ambassadorId,
    auth_service: text,
    proto: withDefault(oneOf('http', 'grpc'), 'http'),
    protocol_version: oneOf('v2', 'v3'),
    path_prefix: text,
    tls: text,
    timeout_ms: withDefault(integer, 5000),
    allowed_request_headers: list(text),
    allowed_authorization_headers: list(text),
    add_auth_headers: map(text),
    add_linkerd_headers: flag,
    allow_request_body: flag,
    include_body: record({ max_bytes: integer, allow_partial: flag }, 'max_bytes', 'allow_partial'),
    status_on_error: record({ code: integer }),
    failure_mode_allow: withDefault(flag, false),
    stats_name: text,
    circuit_breakers: circuitBreakers,
    v2ExplicitTLS: record({ serviceScheme: text, tls: text }),
  },
  'auth_service',
)

const rateLimitService: Schema = record(
  {
    ambassador_id: ambassadorId,
    service: text,
    domain: withDefault(text, 'ambassador'),
    timeout_ms: withDefault(integer, 20),
    failure_mode_deny: withDefault(flag, false),
    protocol_version: oneOf('v2', 'v3'),
    tls: text,
    stats_name: text,
    grpc: record({ use_resource_exhausted_code: flag }),
    v2ExplicitTLS: record({ serviceScheme: text, tls: text }),
  },
  'service',
)

const logService: Schema = record(
  {
    ambassador_id: ambassadorId,
    service: text,
    driver: oneOf('tcp', 'http'),
    driver_config: record({
      additional_log_headers: list(
        record({ header_name: text, during_request: flag, during_response: flag, during_trailer: flag }),
      ),
    }),
    flush_interval_time: integer,
    flush_interval_byte_size: integer,
    grpc: flag,
    protocol_version: oneOf('v2', 'v3'),
    stats_name: text,
  },
  'service',
)

const tracingService: Schema = record(
  {
    ambassador_id: ambassadorId,
    service: text,
    driver: oneOf('lightstep', 'zipkin', 'datadog', 'opentelemetry'),
    sampling: record({ client: integer, random: integer, overall: integer }),
    tag_headers: list(text),
    custom_tags: list(anything),
    config: anything,
    stats_name: text,
  },
  'service',
  'driver',
)

const devPortal: Schema = record({
  ambassador_id: ambassadorId,
  default: flag,
  content: record({ url: text, branch: text, dir: text }),
  docs: list(record({ service: text, url: text, timeout_ms: integer })),
  selector: record({ matchNamespaces: list(text), matchLabels: map(text) }),
  naming_scheme: oneOf('namespace.name', 'name.prefix'),
  preserve_servers: flag,
  search: record({ enabled: flag, type: oneOf('title-only', 'all-content') }),
})

const resolver: Schema = record({ ambassador_id: ambassadorId })

const consulResolver: Schema = record({ ambassador_id: ambassadorId, address: text, datacenter: text }, 'datacenter')

const SCHEMAS: Readonly<Record<string, Schema>> = {
  Mapping: mapping,
  TCPMapping: tcpMapping,
  Host: host,
  Listener: listener,
  TLSContext: tlsContext,
  Module: module,
  AuthService: authService,
  RateLimitService: rateLimitService,
  LogService: logService,
  TracingService: tracingService,
  DevPortal: devPortal,
  KubernetesEndpointResolver: resolver,
  KubernetesServiceResolver: resolver,
  ConsulResolver: consulResolver,
}

/** The schema of `spec`, by kind. */
export const AMBASSADOR_SCHEMAS: Readonly<Record<string, Schema>> = Object.fromEntries(
  Object.entries(SCHEMAS).map(([kind, schema]) => [kind, described(schema, DESCRIPTIONS[kind])]),
)

function described(schema: Schema, descriptions: Readonly<Record<string, string>> = {}): Schema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]): [string, Schema] => {
    const description = descriptions[name]
    return [name, description === undefined ? property : { ...property, description }]
  })
  return { ...schema, properties: Object.fromEntries(properties) }
}
