/** One Mapping, read by itself: `readMapping` says what it asks for, or what is wrong with it. */
import { SHARE_WHOLE, type SplitBy } from '../model/split.ts'
import type { ErrorResponse, Forward, RateLimitDescriptor, Redirect, Rewrite } from '../model/destination.ts'
import type { LabelSpecifierSpec, MappingSpec } from '../resources/ambassador/types.ts'
import { Mapping } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { readClusterPlan } from './cluster-plan.ts'
import { errorResponse } from './error-response.ts'
import { type HeaderProblem, readHeaderChanges } from './headers.ts'
import { readMatch } from './mapping-match.ts'
import type { ModuleConfig } from './module.ts'
import type { MappingPlan, Role, SplitWishes } from './plan.ts'
import { asList, readCors, readRetryPolicy } from './policies.ts'
import { keyOf, namespaceOf, type Report, sortKeyOf } from './report.ts'
import { parseService, qualify, type ServiceOptions } from './service.ts'
import { checkSpec } from './spec.ts'

/** What a Mapping is read in the light of. Its identity changes when something in it does. */
export interface MappingContext {
  readonly module: ModuleConfig
  readonly gatewayNamespace: string
  /** Names of resolvers, with what they are. */
  readonly resolvers: ReadonlyMap<string, 'service' | 'endpoint'>
  /** Domain of the one RateLimitService; absent: there is none, and labels mean nothing. */
  readonly rateLimitDomain?: string
}

const IDLE_TIMEOUT_MS = 300_000
const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308]

/** Undefined: it cannot be used; the report says why. Pure but for the report. */
export function readMapping(object: KubeObject, context: MappingContext, report: Report): MappingPlan | undefined {
  const spec = checkSpec<MappingSpec>(Mapping, object, report, context.module.mappingDefaults)
  if (spec === undefined) return undefined
  const match = readMatch(spec, report)
  const role = readRole(object, spec, context, report)
  const weight = readWeight(object, spec, report)
  const split = readSplitWishes(object, report)
  if (match === undefined || role === undefined || report.failed) return undefined
  const { headersCore, ...rest } = match
  return {
    object,
    key: keyOf(object),
    orderKey: sortKeyOf(object),
    origin: report.origin,
    ...rest,
    labels: object.metadata.labels ?? {},
    core: coreOf(spec, headersCore),
    ...(weight !== undefined && { weight }),
    role,
    version: versionOf(object),
    caseSensitive: spec.case_sensitive ?? true,
    split,
  }
}

export function versionOf(object: KubeObject): string {
  const labels = object.metadata.labels ?? {}
  return labels['version'] ?? labels['app.kubernetes.io/version'] ?? object.metadata.name
}

/** Fields that Emissary compares within a group. `false` counts as not set. */
const CORE_FIELDS = [
  'bypass_auth',
  'circuit_breakers',
  'connect_timeout_ms',
  'cluster_idle_timeout_ms',
  'cluster_max_connection_lifetime_ms',
  'keepalive',
  'labels',
  'load_balancer',
  'prefix_regex',
  'prefix_exact',
] as const satisfies readonly (keyof MappingSpec)[]

function coreOf(spec: MappingSpec, headers: string): Record<string, string> {
  const core: Record<string, string> = { headers }
  for (const field of CORE_FIELDS) {
    const value = spec[field]
    if (value !== undefined && value !== false) core[field] = JSON.stringify(value)
  }
  return core
}

/** Percent. `serin.dev/weight` knows decimals; `spec.weight` is rounded to a whole number as Python rounds. */
function readWeight(object: KubeObject, spec: MappingSpec, report: Report): number | undefined {
  const annotation = object.metadata.annotations?.['serin.dev/weight']
  if (annotation === undefined) return spec.weight === undefined ? undefined : roundHalfEven(spec.weight)
  const weight = Number(annotation)
  if (annotation.trim() !== '' && weight >= 0 && weight <= 100) return Math.round(weight * 100) / 100
  report.error('bad-annotation', `"${annotation}" is no weight`, {
    path: ['metadata', 'annotations', 'serin.dev/weight'],
    expected: 'a number from 0 to 100, at most two decimals',
  })
  return undefined
}

/** 10.5 → 10, 11.5 → 12. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

function readRole(object: KubeObject, spec: MappingSpec, context: MappingContext, report: Report): Role | undefined {
  const service: ServiceOptions = {
    namespace: namespaceOf(object),
    gatewayNamespace: context.gatewayNamespace,
    useGatewayNamespace: context.module.useGatewayNamespace,
  }
  if (spec.host_redirect === true && spec.shadow !== true) {
    return { kind: 'redirect', action: { kind: 'redirect', ...readRedirect(spec, service, report) } }
  }
  if (spec.host_redirect === true) {
    report.warning('shadow-redirect', 'a Mapping cannot be both shadow and host_redirect; host_redirect is ignored', {
      path: ['spec', 'host_redirect'],
    })
  }
  const address = parseService(spec.service, service)
  for (const problem of address.problems) report.warning('bad-service', problem, { path: ['spec', 'service'] })
  const cluster = readClusterPlan(spec, address, { context, report, namespace: service.namespace })
  if (cluster === undefined) return undefined
  if (spec.shadow === true) return { kind: 'shadow', cluster: cluster.plan, share: shadowShare(spec.weight) }
  const forward = readForward(spec, {
    context,
    report,
    cluster: cluster.plan.name,
    hash: cluster.hash,
    host: address.host,
    hostPort: `${address.host}:${address.port}`,
    resolver: cluster.plan.resolver,
  })
  return { kind: 'forward', cluster: cluster.plan, forward }
}

function shadowShare(weight = 100): number {
  return Math.max(0, Math.min(100, weight)) * (SHARE_WHOLE / 100)
}

function readRedirect(spec: MappingSpec, options: ServiceOptions, report: Report): Redirect {
  const { redirect_response_code: status = 301 } = spec
  const isRedirect = REDIRECT_STATUSES.includes(status)
  if (!isRedirect) {
    report.warning('bad-redirect-code', `${status} is no redirect; 301 is used`, {
      path: ['spec', 'redirect_response_code'],
      expected: `one of ${REDIRECT_STATUSES.join(', ')}`,
    })
  }
  return {
    host: qualify(spec.service, options),
    status: isRedirect ? (status as Redirect['status']) : 301,
    path: redirectPath(spec, report),
  }
}

/** path before prefix before regex, where more than one is given; an empty text is none. */
function redirectPath(spec: MappingSpec, report: Report): Redirect['path'] {
  const given = (['path_redirect', 'prefix_redirect', 'regex_redirect'] as const).filter(
    (field) => (spec[field] ?? '') !== '',
  )
  for (const ignored of given.slice(1)) {
    report.warning('two-redirects', `${given[0]} and ${ignored} are both set; ${ignored} is ignored`, {
      path: ['spec', ignored],
    })
  }
  const { path_redirect: path, prefix_redirect: prefix, regex_redirect: regex } = spec
  if (path !== undefined && path !== '') return { kind: 'path', value: path }
  if (prefix !== undefined && prefix !== '') return { kind: 'prefix', value: prefix }
  if (regex?.pattern === undefined) return { kind: 'same' }
  return { kind: 'regex', pattern: regex.pattern, substitution: regex.substitution ?? '' }
}

interface ForwardParts {
  readonly context: MappingContext
  readonly report: Report
  readonly cluster: string
  readonly hash: Forward['hash']
  readonly host: string
  readonly hostPort: string
  readonly resolver: 'service' | 'endpoint'
}

function readForward(spec: MappingSpec, parts: ForwardParts): Forward {
  const { context, report } = parts
  const { module } = context
  const host = readHostRewrite(spec, parts)
  const retry = readRetry(spec, module, report)
  const cors = spec.cors === undefined ? module.cors : readCors(spec.cors)
  const headers = readHeaders(spec, parts)
  const timeoutMs = spec.timeout_ms ?? module.timeoutMs
  const idleTimeoutMs = spec.idle_timeout_ms ?? IDLE_TIMEOUT_MS
  for (const [field, value] of Object.entries({ timeout_ms: timeoutMs, idle_timeout_ms: idleTimeoutMs })) {
    if (value < 0) report.error('negative', `${field} is at least 0`, { path: ['spec', field] })
  }
  const { auth_context_extensions: authContextExtensions } = spec
  return {
    cluster: parts.cluster,
    rewrite: readRewrite(spec),
    ...(host !== undefined && { host }),
    ...headers,
    timeoutMs,
    idleTimeoutMs,
    ...(retry !== undefined && { retry }),
    ...(cors !== undefined && { cors }),
    upgrades: readUpgrades(spec),
    ...(parts.hash !== undefined && { hash: parts.hash }),
    bypassAuth: spec.bypass_auth ?? false,
    ...(authContextExtensions !== undefined && { authContextExtensions }),
    rateLimits: readRateLimits(spec, context),
    priority: readPriority(spec, report),
    errorResponses: readErrorResponses(spec, module, report),
  }
}

/** regex_rewrite wins over rewrite; an empty rewrite, or null, leaves the path alone. */
function readRewrite(spec: MappingSpec): Rewrite {
  const { regex_rewrite: regex, rewrite = '/' } = spec
  if (regex?.pattern !== undefined)
    return { kind: 'regex', pattern: regex.pattern, substitution: regex.substitution ?? '' }
  return rewrite === '' || rewrite === null ? { kind: 'none' } : { kind: 'prefix', value: rewrite }
}

function readHostRewrite(spec: MappingSpec, parts: ForwardParts): Forward['host'] {
  const { host_rewrite: literal, auto_host_rewrite: auto = false } = spec
  if (literal !== undefined && auto) {
    parts.report.error('two-host-rewrites', 'host_rewrite and auto_host_rewrite exclude each other', {
      path: ['spec', 'auto_host_rewrite'],
    })
  }
  if (literal !== undefined) return { kind: 'literal', value: literal }
  // With endpoints from Kubernetes Envoy has no DNS name to write.
  return auto && parts.resolver === 'service' ? { kind: 'literal', value: parts.host } : undefined
}

function readRetry(spec: MappingSpec, module: ModuleConfig, report: Report): Forward['retry'] {
  if (spec.retry_policy === undefined) return module.retry
  const read = readRetryPolicy(spec.retry_policy)
  if (read.ok) return read.value
  report.error('bad-retry-policy', read.reason, {
    path: ['spec', 'retry_policy', ...(read.field === undefined ? [] : [read.field])],
  })
  return undefined
}

function readHeaders(spec: MappingSpec, parts: ForwardParts): Pick<Forward, 'requestHeaders' | 'responseHeaders'> {
  const linkerd = spec.add_linkerd_headers ?? parts.context.module.addLinkerdHeaders
  const request = readHeaderChanges(
    { ...(linkerd && { 'l5d-dst-override': { value: parts.hostPort } }), ...spec.add_request_headers },
    asList(spec.remove_request_headers),
  )
  const response = readHeaderChanges(spec.add_response_headers ?? {}, asList(spec.remove_response_headers))
  reportHeaders('request', request.problems, parts.report)
  reportHeaders('response', response.problems, parts.report)
  return { requestHeaders: request.changes, responseHeaders: response.changes }
}

function reportHeaders(side: string, problems: readonly HeaderProblem[], report: Report): void {
  for (const { path, reason } of problems) {
    const [field = '', ...rest] = path
    report.error('bad-header', reason, { path: ['spec', `${field}_${side}_headers`, ...rest] })
  }
}

function readUpgrades(spec: MappingSpec): string[] {
  const upgrades = (spec.allow_upgrade ?? []).map((token) => token.toLowerCase())
  return spec.use_websocket === true && !upgrades.includes('websocket') ? [...upgrades, 'websocket'] : upgrades
}

function readPriority(spec: MappingSpec, report: Report): Forward['priority'] {
  const { priority = 'default' } = spec
  if (priority === 'default' || priority === 'high') return priority
  report.error('bad-priority', `"${priority}" is no priority`, {
    path: ['spec', 'priority'],
    expected: 'one of default, high',
  })
  return 'default'
}

function readRateLimits(spec: MappingSpec, context: MappingContext): RateLimitDescriptor[] {
  const { rateLimitDomain: domain, module } = context
  if (domain === undefined) return []
  const defaults = module.defaultLabels[domain] ?? []
  return (spec.labels?.[domain] ?? []).flatMap((group) =>
    Object.values(group).map((specifiers) => ({ entries: [...defaults, ...specifiers].flatMap(rateLimitEntry) })),
  )
}

function rateLimitEntry(specifier: LabelSpecifierSpec): RateLimitDescriptor['entries'] {
  const { generic_key: generic, request_headers: header } = specifier
  if (generic !== undefined) return [{ kind: 'generic-key', key: generic.key ?? 'generic_key', value: generic.value }]
  if (header !== undefined) {
    return [
      {
        kind: 'request-header',
        key: header.key,
        header: header.header_name.toLowerCase(),
        omitIfAbsent: header.omit_if_not_present ?? false,
      },
    ]
  }
  if (specifier.remote_address !== undefined) return [{ kind: 'remote-address' }]
  if (specifier.source_cluster !== undefined) return [{ kind: 'source-cluster' }]
  return specifier.destination_cluster === undefined ? [] : [{ kind: 'destination-cluster' }]
}

/** The Mapping's own replace the Module's. */
function readErrorResponses(spec: MappingSpec, module: ModuleConfig, report: Report): readonly ErrorResponse[] {
  if (spec.bypass_error_response_overrides === true) return []
  if (spec.error_response_overrides === undefined) return module.errorResponses
  return spec.error_response_overrides.flatMap((override, index) => {
    const response = errorResponse(override)
    if (typeof response !== 'string') return [response]
    report.error('bad-error-response', response, { path: ['spec', 'error_response_overrides', index, 'body'] })
    return []
  })
}

function readSplitWishes(object: KubeObject, report: Report): SplitWishes {
  const annotations = object.metadata.annotations ?? {}
  const overrideHeader = annotations['serin.dev/override-header']
  const by = readSplitBy(annotations, report)
  return {
    ...(by !== undefined && { by }),
    ...(overrideHeader !== undefined && { overrideHeader: overrideHeader.toLowerCase() }),
    ...(annotations['serin.dev/tell-version'] === 'true' && { tellVersion: true }),
    ...(annotations['serin.dev/private-cache'] === 'true' && { privateCache: true }),
  }
}

function readSplitBy(annotations: Readonly<Record<string, string>>, report: Report): SplitBy | undefined {
  const split = annotations['serin.dev/split']
  if (split === undefined) return undefined
  if (split === 'random') return { kind: 'random' }
  const wrong = (name: string, value: string, expected: string): undefined => {
    report.error('bad-annotation', `"${value}" is not allowed here`, {
      path: ['metadata', 'annotations', name],
      expected,
    })
  }
  if (split !== 'sticky') return wrong('serin.dev/split', split, 'random or sticky')
  const text = annotations['serin.dev/split-key'] ?? 'client-address'
  const salt = annotations['serin.dev/salt'] ?? ''
  if (text === 'client-address') return { kind: 'sticky', key: { kind: 'client-address' }, salt }
  const [, kind, name] = /^(header|cookie):(.+)$/.exec(text) ?? []
  if (name === undefined) return wrong('serin.dev/split-key', text, 'header:NAME, cookie:NAME or client-address')
  const key =
    kind === 'header' ? ({ kind: 'header', name: name.toLowerCase() } as const) : ({ kind: 'cookie', name } as const)
  return { kind: 'sticky', key, salt }
}
