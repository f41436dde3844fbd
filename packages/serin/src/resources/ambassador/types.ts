/** Ambassador's `spec`s as TypeScript, after validation: what `schemas.ts` allows, and the few looser forms that are read too. */

export interface MappingSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly prefix: string
  readonly prefix_exact?: boolean
  readonly prefix_regex?: boolean
  readonly case_sensitive?: boolean
  readonly hostname?: string
  readonly host?: string
  readonly host_regex?: boolean
  readonly method?: string
  readonly method_regex?: boolean
  /** `true`: present (v2). */
  readonly headers?: Readonly<Record<string, string | true>>
  readonly regex_headers?: Readonly<Record<string, string>>
  readonly query_parameters?: Readonly<Record<string, string | true>>
  readonly regex_query_parameters?: Readonly<Record<string, string>>
  readonly precedence?: number
  readonly service: string
  readonly resolver?: string
  readonly load_balancer?: LoadBalancerSpec
  readonly weight?: number
  readonly rewrite?: string | null
  readonly regex_rewrite?: RegexReplacementSpec
  readonly host_rewrite?: string
  readonly auto_host_rewrite?: boolean
  readonly host_redirect?: boolean
  readonly path_redirect?: string
  readonly prefix_redirect?: string
  readonly regex_redirect?: RegexReplacementSpec
  readonly redirect_response_code?: number
  readonly add_request_headers?: Readonly<Record<string, unknown>>
  readonly add_response_headers?: Readonly<Record<string, unknown>>
  readonly remove_request_headers?: string | readonly string[]
  readonly remove_response_headers?: string | readonly string[]
  readonly add_linkerd_headers?: boolean
  readonly timeout_ms?: number
  readonly idle_timeout_ms?: number
  readonly connect_timeout_ms?: number
  readonly cluster_idle_timeout_ms?: number
  readonly cluster_max_connection_lifetime_ms?: number
  readonly retry_policy?: RetryPolicySpec
  readonly circuit_breakers?: readonly CircuitBreakerSpec[]
  readonly health_checks?: readonly HealthCheckSpec[]
  readonly keepalive?: KeepaliveSpec
  readonly cors?: CorsSpec
  readonly allow_upgrade?: readonly string[]
  readonly use_websocket?: boolean
  readonly grpc?: boolean
  readonly tls?: string
  readonly shadow?: boolean
  readonly bypass_auth?: boolean
  readonly auth_context_extensions?: Readonly<Record<string, string>>
  readonly error_response_overrides?: readonly ErrorResponseSpec[]
  readonly bypass_error_response_overrides?: boolean
  readonly labels?: LabelsSpec
  readonly priority?: string
  readonly cluster_tag?: string
  readonly stats_name?: string
  readonly dns_type?: string
  readonly respect_dns_ttl?: boolean
}

interface RegexReplacementSpec {
  readonly pattern?: string
  readonly substitution?: string
}

export interface LoadBalancerSpec {
  readonly policy?: string
  readonly header?: string
  readonly source_ip?: boolean
  readonly cookie?: { readonly name: string; readonly path?: string; readonly ttl?: string }
}

export interface RetryPolicySpec {
  readonly retry_on?: string
  readonly num_retries?: number
  readonly per_try_timeout?: string
}

export interface CircuitBreakerSpec {
  readonly priority?: 'default' | 'high'
  readonly max_connections?: number
  readonly max_pending_requests?: number
  readonly max_requests?: number
  readonly max_retries?: number
}

export interface KeepaliveSpec {
  readonly probes?: number
  readonly idle_time?: number
  readonly interval?: number
}

export interface CorsSpec {
  readonly origins?: string | readonly string[]
  readonly methods?: string | readonly string[]
  readonly headers?: string | readonly string[]
  readonly exposed_headers?: string | readonly string[]
  readonly credentials?: boolean
  readonly max_age?: string
}

export interface HealthCheckSpec {
  readonly timeout?: string
  readonly interval?: string
  readonly unhealthy_threshold?: number
  readonly healthy_threshold?: number
  readonly health_check: {
    readonly http?: {
      readonly path: string
      readonly hostname?: string
      readonly add_request_headers?: Readonly<Record<string, unknown>>
      readonly remove_request_headers?: readonly string[]
      readonly expected_statuses?: readonly { readonly min: number; readonly max: number }[]
    }
    readonly grpc?: { readonly upstream_name: string; readonly authority?: string }
  }
}

export interface ErrorResponseSpec {
  readonly on_status_code: number
  readonly body: {
    readonly text_format?: string
    readonly content_type?: string
    readonly text_format_source?: { readonly filename?: string }
    readonly json_format?: Readonly<Record<string, string>>
  }
}

/** Domain → list of maps with one name → specifiers. */
type LabelsSpec = Readonly<Record<string, readonly Readonly<Record<string, readonly LabelSpecifierSpec[]>>[]>>

export interface LabelSpecifierSpec {
  readonly source_cluster?: { readonly key: string }
  readonly destination_cluster?: { readonly key: string }
  readonly request_headers?: {
    readonly key: string
    readonly header_name: string
    readonly omit_if_not_present?: boolean
  }
  readonly remote_address?: { readonly key: string }
  readonly generic_key?: { readonly key?: string; readonly value: string }
}

export interface HostSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly hostname?: string
  readonly selector?: LabelSelectorSpec
  readonly mappingSelector?: LabelSelectorSpec
  readonly acmeProvider?: { readonly authority?: string }
  readonly tlsSecret?: { readonly name?: string; readonly namespace?: string }
  readonly tlsContext?: { readonly name?: string }
  readonly tls?: TlsSpec
  readonly requestPolicy?: { readonly insecure?: { readonly action?: string; readonly additionalPort?: number } }
}

export interface LabelSelectorSpec {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly unknown[]
}

/** What a Host's `tls` and a TLSContext share. */
export interface TlsSpec {
  readonly cert_chain_file?: string
  readonly private_key_file?: string
  readonly cacert_chain_file?: string
  readonly ca_secret?: string
  readonly cert_required?: boolean
  readonly min_tls_version?: string
  readonly max_tls_version?: string
  readonly alpn_protocols?: string
  readonly cipher_suites?: readonly string[]
  readonly ecdh_curves?: readonly string[]
  readonly sni?: string
  readonly crl_secret?: string
}

export interface TlsContextSpec extends TlsSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly hosts?: readonly string[]
  readonly secret?: string
  readonly secret_namespacing?: boolean
}

export interface ListenerSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly port: number
  readonly protocol?: string
  readonly protocolStack?: readonly string[]
  readonly securityModel: 'XFP' | 'SECURE' | 'INSECURE'
  readonly statsPrefix?: string
  readonly l7Depth?: number
  readonly hostBinding: {
    readonly namespace?: { readonly from?: 'SELF' | 'ALL' }
    readonly selector?: LabelSelectorSpec
  }
}

export interface TcpMappingSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly port: number
  readonly service: string
  readonly host?: string
  readonly address?: string
  readonly weight?: number
  readonly resolver?: string
  readonly tls?: string
  readonly circuit_breakers?: readonly CircuitBreakerSpec[]
  readonly cluster_tag?: string
  readonly stats_name?: string
  readonly idle_timeout_ms?: string | number
}

export interface AuthServiceSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly auth_service: string
  readonly proto?: 'http' | 'grpc'
  readonly protocol_version?: string
  readonly path_prefix?: string
  readonly tls?: string
  readonly timeout_ms?: number
  readonly allowed_request_headers?: readonly string[]
  readonly allowed_authorization_headers?: readonly string[]
  readonly add_auth_headers?: Readonly<Record<string, string>>
  readonly add_linkerd_headers?: boolean
  readonly allow_request_body?: boolean
  readonly include_body?: { readonly max_bytes: number; readonly allow_partial: boolean }
  readonly status_on_error?: { readonly code?: number }
  readonly failure_mode_allow?: boolean
  readonly stats_name?: string
  readonly circuit_breakers?: readonly CircuitBreakerSpec[]
}

export interface RateLimitServiceSpec {
  readonly ambassador_id?: string | readonly string[]
  readonly service: string
  readonly domain?: string
  readonly timeout_ms?: number
  readonly failure_mode_deny?: boolean
  readonly protocol_version?: string
  readonly tls?: string
  readonly stats_name?: string
}
