/** The Module named `ambassador`: settings of the whole gateway, and what Mappings inherit. */
import { isIP } from 'node:net'
import { AccessFormatError, compileTextFormat, OPERATOR_NAMES } from '../metrics/access-format.ts'
import type { CircuitBreakers, Cluster } from '../model/cluster.ts'
import type { CorsPolicy, ErrorResponse, RetryPolicy } from '../model/destination.ts'
import { DEFAULT_SETTINGS, type IpRule, type Settings } from '../model/settings.ts'
import { MODULE_FIELDS, MODULE_SCHEMA, type ModuleSettingsSpec } from '../resources/ambassador/module.ts'
import type { ErrorResponseSpec, LabelSpecifierSpec } from '../resources/ambassador/types.ts'
import type { KubeObject } from '../resources/object.ts'
import { validate } from '../resources/schema.ts'
import { suggest } from '../resources/suggest.ts'
import { errorResponse } from './error-response.ts'
import {
  type LoadBalancer,
  type Read,
  readCircuitBreakers,
  readCors,
  readKeepalive,
  readLoadBalancer,
  readRetryPolicy,
} from './policies.ts'
import type { Report } from './report.ts'

export interface ModuleConfig {
  readonly settings: Settings
  /** What a Mapping has where it does not say otherwise. */
  readonly resolver: string
  readonly loadBalancer?: LoadBalancer
  readonly timeoutMs: number
  readonly clusterIdleTimeoutMs?: number
  readonly clusterMaxConnectionLifetimeMs?: number
  readonly retry?: RetryPolicy
  readonly circuitBreakers?: CircuitBreakers
  readonly cors?: CorsPolicy
  readonly keepalive?: NonNullable<Cluster['keepalive']>
  readonly errorResponses: readonly ErrorResponse[]
  /** `defaults.httpmapping`. */
  readonly mappingDefaults: Readonly<Record<string, unknown>>
  readonly addLinkerdHeaders: boolean
  readonly useGatewayNamespace: boolean
  readonly defaultLabelDomain: string
  /** By domain; they come before a Mapping's own. */
  readonly defaultLabels: Readonly<Record<string, readonly LabelSpecifierSpec[]>>
  /** More probes than the built-in ones: they are routed like Mappings. */
  readonly probes: readonly ProbeRoute[]
}

/** `liveness_probe` and `readiness_probe` with a prefix and service of their own. */
export interface ProbeRoute {
  readonly name: string
  readonly prefix: string
  readonly service: string
  readonly rewrite: string
}

const REQUEST_TIMEOUT_MS = 3000

export const DEFAULT_MODULE: ModuleConfig = {
  settings: DEFAULT_SETTINGS,
  resolver: 'kubernetes-service',
  timeoutMs: REQUEST_TIMEOUT_MS,
  errorResponses: [],
  mappingDefaults: {},
  addLinkerdHeaders: false,
  useGatewayNamespace: false,
  defaultLabelDomain: 'ambassador',
  defaultLabels: {},
  probes: [],
}

/** A field with a mistake is left at its default, and the rest counts. Pure but for the report. */
export function readModule(object: KubeObject, report: Report): ModuleConfig {
  const given = (object.spec as { config?: unknown } | undefined)?.config ?? {}
  const config = checkConfig(given, report)
  const { cluster_idle_timeout_ms: idle, cluster_max_connection_lifetime_ms: lifetime } = config
  const errorResponses = readErrorResponses(config.error_response_overrides ?? [], report)
  return {
    settings: {
      ...readSettings(config, report),
      ...(errorResponses.length > 0 && { defaultErrorResponses: errorResponses }),
    },
    resolver: config.resolver ?? DEFAULT_MODULE.resolver,
    ...optional('loadBalancer', take(config.load_balancer, readLoadBalancer, 'load_balancer', report)),
    timeoutMs: config.cluster_request_timeout_ms ?? REQUEST_TIMEOUT_MS,
    ...optional('clusterIdleTimeoutMs', idle),
    ...optional('clusterMaxConnectionLifetimeMs', lifetime),
    ...optional('retry', take(config.retry_policy, readRetryPolicy, 'retry_policy', report)),
    ...optional('circuitBreakers', take(config.circuit_breakers, readCircuitBreakers, 'circuit_breakers', report)),
    ...optional('cors', config.cors === undefined ? undefined : readCors(config.cors)),
    ...optional('keepalive', config.keepalive === undefined ? undefined : readKeepalive(config.keepalive)),
    errorResponses,
    mappingDefaults: (config.defaults?.['httpmapping'] as Record<string, unknown> | undefined) ?? {},
    addLinkerdHeaders: config.add_linkerd_headers ?? false,
    useGatewayNamespace: config.use_ambassador_namespace_for_service_resolution ?? false,
    defaultLabelDomain: config.default_label_domain ?? 'ambassador',
    defaultLabels: readDefaultLabels(config),
    probes: readProbes(config),
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): Record<K, V> | Record<never, never> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>)
}

function take<S, V>(spec: S | undefined, read: (spec: S) => Read<V>, field: string, report: Report): V | undefined {
  if (spec === undefined) return undefined
  const result = read(spec)
  if (result.ok) return result.value
  report.warning(`bad-${field.replaceAll('_', '-')}`, result.reason, {
    path: ['spec', 'config', field, ...(result.field === undefined ? [] : [result.field])],
    notes: ['it is ignored'],
  })
  return undefined
}

/** Drops what is unknown or of the wrong type, and says so; says what has no effect. */
function checkConfig(given: unknown, report: Report): ModuleSettingsSpec {
  const path = ['spec', 'config']
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    report.warning('wrong-type', 'config is no map', { path, expected: 'map' })
    return {}
  }
  const config: Record<string, unknown> = { ...given }
  for (const [name, value] of Object.entries(given)) {
    const field = MODULE_FIELDS[name]
    if (field === undefined) {
      const suggestion = suggest(name, Object.keys(MODULE_FIELDS))
      report.warning('unknown-field', `unknown field "${name}"`, {
        path: [...path, name],
        suggestion,
        notes: ['it is ignored'],
      })
    } else if (field.answer !== 'same' && field.answer !== 'safer') {
      report.warning('no-effect', `${name} has no effect: ${field.because}`, { path: [...path, name] })
    }
    const schema = MODULE_SCHEMA.properties?.[name]
    const problems = schema === undefined ? [] : validate(schema, value, [...path, name], 'absent')
    for (const problem of problems) {
      report.warning(problem.code, problem.message, {
        path: problem.path,
        expected: problem.expected,
        suggestion: problem.suggestion,
        notes: [`${name} is ignored`],
      })
    }
    if (problems.some(({ code }) => code !== 'unknown-field')) delete config[name]
  }
  return config as ModuleSettingsSpec
}

function readSettings(config: ModuleSettingsSpec, report: Report): Settings {
  const idle = config.listener_idle_timeout_ms
  const { gzip, buffer } = config
  return {
    ...DEFAULT_SETTINGS,
    serverName: config.server_name ?? DEFAULT_SETTINGS.serverName,
    suppressEnvoyHeaders: config.suppress_envoy_headers ?? false,
    useRemoteAddress: config.use_remote_address ?? true,
    preserveExternalRequestId: config.preserve_external_request_id ?? false,
    stripHostPort: config.strip_matching_host_port === true ? 'matching' : 'none',
    mergeSlashes: config.merge_slashes ?? false,
    rejectEscapedSlashes: config.reject_requests_with_escaped_slashes ?? false,
    underscoreHeaders: UNDERSCORES[config.headers_with_underscores_action ?? 'ALLOW'] ?? 'allow',
    requestHeadersKbMax: config.max_request_headers_kb ?? DEFAULT_SETTINGS.requestHeadersKbMax,
    http10: config.enable_http10 ?? false,
    properCase: config.proper_case ?? false,
    ...optional('listenerIdleTimeoutMs', idle),
    ...optional('ipFilter', readIpFilter(config, report)),
    ...optional('gzip', gzip === undefined || gzip.enabled === false ? undefined : readGzip(gzip)),
    ...optional(
      'buffer',
      buffer?.max_request_bytes === undefined ? undefined : { requestBytesMax: buffer.max_request_bytes },
    ),
    accessLog: readAccessLog(config, report),
    probes: {
      liveness: true,
      readiness: true,
      diagnostics: config.diagnostics?.enabled ?? true,
    },
  }
}

const UNDERSCORES: Readonly<Record<string, Settings['underscoreHeaders']>> = {
  ALLOW: 'allow',
  REJECT_REQUEST: 'reject',
  DROP_HEADER: 'drop',
}

const GZIP_LENGTH_MIN = 30
const GZIP_TYPES: readonly string[] = [
  'application/javascript',
  'application/json',
  'application/xhtml+xml',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/plain',
  'text/xml',
]

function readGzip({
  min_content_length: minLength,
  content_type: types,
}: NonNullable<ModuleSettingsSpec['gzip']>): NonNullable<Settings['gzip']> {
  return { minLength: minLength ?? GZIP_LENGTH_MIN, contentTypes: types ?? GZIP_TYPES }
}

function readAccessLog(config: ModuleSettingsSpec, report: Report): Settings['accessLog'] {
  const { envoy_log_type: type = 'text', envoy_log_format: template } = config
  const format = type === 'text' ? 'text' : 'json'
  const fits = template !== undefined && (typeof template === 'string') === (format === 'text')
  return { format, ...(fits && isLogFormat(template, report) && { template }) }
}

/** A format that does not compile is reported, and the default stands in for it. */
function isLogFormat(template: string | Readonly<Record<string, string>>, report: Report): boolean {
  const path = ['spec', 'config', 'envoy_log_format']
  const texts =
    typeof template === 'string'
      ? [{ path, text: template }]
      : Object.entries(template).map(([key, text]) => ({ path: [...path, key], text }))
  let good = true
  for (const { path: place, text } of texts) {
    try {
      compileTextFormat(text)
    } catch (error) {
      if (!(error instanceof AccessFormatError)) throw error
      good = false
      report.warning('bad-log-format', error.message, {
        path: place,
        suggestion: error.operator === undefined ? undefined : suggest(error.operator, OPERATOR_NAMES),
      })
    }
  }
  return good
}

/**
 * ip_allow before ip_deny. Emissary lets everybody in when one address of ip_allow is bad; here the bad address alone is left
 * out, and a list of which nothing is left lets nobody in.
 */
function readIpFilter(config: ModuleSettingsSpec, report: Report): Settings['ipFilter'] {
  const { ip_allow: allow, ip_deny: deny } = config
  if (allow !== undefined && deny !== undefined) {
    report.warning('two-ip-filters', 'ip_allow and ip_deny exclude each other; ip_deny is ignored', {
      path: ['spec', 'config', 'ip_deny'],
    })
  }
  const kind = allow !== undefined ? 'allow' : 'deny'
  const list = allow ?? deny
  if (list === undefined) return undefined
  const rules: IpRule[] = []
  for (const [index, entry] of list.entries()) {
    const of = entry.peer === undefined ? 'remote' : 'peer'
    const address = entry.peer ?? entry.remote ?? ''
    const cidr = readCidr(address)
    if (cidr !== undefined) rules.push({ of, cidr })
    else {
      report.warning('bad-address', `"${address}" is no address`, {
        path: ['spec', 'config', `ip_${kind}`, index],
        expected: 'an address like 10.0.0.1 or a range like 10.0.0.0/8',
        notes: [kind === 'allow' ? 'it lets nobody in; Emissary would let everybody in' : 'it keeps nobody out'],
      })
    }
  }
  return { kind, rules }
}

/** With its prefix length. */
function readCidr(text: string): string | undefined {
  const [, address = '', length] = /^([^/]+)(?:\/(\d+))?$/.exec(text) ?? []
  const version = isIP(address)
  const bits = version === 4 ? 32 : 128
  if (version === 0 || Number(length ?? bits) > bits) return undefined
  return `${address}/${length ?? bits}`
}

function readErrorResponses(specs: readonly ErrorResponseSpec[], report: Report): ErrorResponse[] {
  return specs.flatMap((spec, index) => {
    const response = errorResponse(spec)
    if (typeof response !== 'string') return [response]
    report.warning('bad-error-response', response, {
      path: ['spec', 'config', 'error_response_overrides', index, 'body'],
    })
    return []
  })
}

/** `default_labels: {domain: {defaults: […]}}`. */
function readDefaultLabels(config: ModuleSettingsSpec): ModuleConfig['defaultLabels'] {
  return Object.fromEntries(
    Object.entries(config.default_labels ?? {}).map(([domain, { defaults = [] }]) => [domain, defaults]),
  )
}

const PROBE_REWRITES: Readonly<Record<string, string>> = {
  liveness_probe: '/ambassador/v0/check_alive',
  readiness_probe: '/ambassador/v0/check_ready',
}

/** The built-in probes stay where they are, whatever the Module says (as in Emissary 4); a prefix of one's own is one more route. */
function readProbes(config: ModuleSettingsSpec): ProbeRoute[] {
  return (['liveness_probe', 'readiness_probe'] as const).flatMap((name) => {
    const { enabled = true, prefix, service, rewrite } = config[name] ?? {}
    if (!enabled || prefix === undefined || service === undefined) return []
    return [{ name, prefix, service, rewrite: rewrite ?? PROBE_REWRITES[name]! }]
  })
}
