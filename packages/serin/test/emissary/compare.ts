/** What was recorded against what happened; the differences as sentences. */
import type { CaseRequest, Expectation, HeaderList, SplitEntry, UpstreamRequest } from './case.ts'

export interface Outcome {
  readonly status?: number
  readonly headers?: HeaderList
  readonly upstream?: UpstreamRequest | null
  readonly bodyFrom?: string
  readonly body?: string
  /** All requests that echo servers got. */
  readonly records: readonly UpstreamRequest[]
  readonly tookMs?: number
  readonly session?: { readonly certificate: string; readonly tls_version: string | null; readonly alpn: string | null }
  readonly error?: string
  readonly echoed?: string
}

/** Framing and connection are this hop's own business. */
const LEFT_OUT = new Set(['date', 'content-length', 'content-type', 'connection', 'transfer-encoding', 'keep-alive'])

/** Names keep their case where the case is about it. */
export function compare(expected: Expectation, actual: Outcome, keepsCase: boolean): string[] {
  const problems: string[] = []
  const { error } = expected
  if (error !== undefined || actual.error !== undefined) return compareErrors(error, actual.error)
  if (expected.status !== actual.status) problems.push(`status ${actual.status}, recorded ${expected.status}`)
  problems.push(...compareHeaders(expected.headers ?? [], actual.headers ?? [], keepsCase))
  problems.push(...compareUpstream(expected, actual))
  problems.push(...compareReceived(expected, actual))
  if (expected.body_from !== undefined && expected.body_from !== actual.bodyFrom)
    problems.push(`body from ${actual.bodyFrom}, recorded ${expected.body_from}`)
  if (expected.own_body !== undefined && expected.own_body !== actual.body) {
    problems.push(`body ${JSON.stringify(actual.body)}, wanted ${JSON.stringify(expected.own_body)}`)
  }
  if (expected.took_ms_at_least !== undefined && actual.tookMs! < expected.took_ms_at_least)
    problems.push(`took ${actual.tookMs} ms, recorded at least ${expected.took_ms_at_least}`)
  if (expected.echoed !== undefined && expected.echoed !== actual.echoed)
    problems.push(`echoed ${actual.echoed}, recorded ${expected.echoed}`)
  for (const name of ['certificate', 'tls_version', 'alpn'] as const) {
    const wanted = expected[name]
    if (wanted !== undefined && wanted !== actual.session?.[name])
      problems.push(`${name} ${actual.session?.[name]}, recorded ${wanted}`)
  }
  return problems
}

/** Where a handshake or a connection ended is the same to a client. */
function compareErrors(expected: string | undefined, actual: string | undefined): string[] {
  const kind = (error: string | undefined): string =>
    error === undefined || error === 'refused' ? String(error) : 'closed'
  return kind(expected) === kind(actual) ? [] : [`error ${actual}, recorded ${expected}`]
}

function compareHeaders(expected: HeaderList, actual: HeaderList, keepsCase: boolean): string[] {
  const fold = (name: string): string => (keepsCase ? name : name.toLowerCase())
  const kept = actual.filter(([name]) => !LEFT_OUT.has(name.toLowerCase()) && !name.toLowerCase().startsWith('x-echo-'))
  const order = (list: HeaderList): string[] => list.map(([name, value]) => `${fold(name)}: ${value}`).toSorted()
  const wanted = order(expected)
  const got = order(kept)
  const missing = wanted.filter((line) => !got.some((other) => matches(line, other)))
  const surplus = got.filter((line) => !wanted.some((other) => matches(other, line)))
  const result = [
    ...missing.map((line) => `lacks response header ${line}`),
    ...surplus.map((line) => `has response header ${line}`),
  ]
  return result.length === 0 && wanted.length !== got.length
    ? [`response headers ${got.join(' | ')}, recorded ${wanted.join(' | ')}`]
    : result
}

const HOLES: Readonly<Record<string, string>> = {
  '<uuid>': '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  '<number>': '\\d+',
  '<hash>': '[^"]+',
  '<client>': '[0-9a-f.:]+',
  '<what is left>': String.raw`\d+`,
}

/** The recorded text may have holes: `<uuid>`, `<12 characters>`. */
function matches(recorded: string, actual: string): boolean {
  if (!recorded.includes('<')) return recorded === actual
  const pattern = recorded
    .split(/(<what is left>|<uuid>|<number>|<hash>|<client>|<\d+ characters>)/)
    .map(
      (part) =>
        HOLES[part] ??
        (/^<\d+ characters>$/.test(part)
          ? `.{${part.match(/\d+/)![0]}}`
          : part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)),
    )
    .join('')
  return new RegExp(`^${pattern}$`).test(actual)
}

/** The gateway's own admin service answers without an upstream here. */
const ADMIN_SERVICE = '127.0.0.1:8877'

function compareUpstream(expected: Expectation, actual: Outcome): string[] {
  const { upstream } = expected
  if (upstream === undefined) return []
  const got = actual.upstream
  if (upstream?.service === ADMIN_SERVICE)
    return got == null ? [] : [`answered by ${got.service}, recorded the gateway's own page`]
  if (upstream === null || got == null) {
    return upstream === got
      ? []
      : [`answered by ${got?.service ?? 'the gateway'}, recorded ${upstream?.service ?? 'the gateway'}`]
  }
  const attempts = actual.records.filter(({ service }) => service === upstream.service).length
  const problems = compareRequest(upstream, got)
  if (upstream.attempts !== undefined && upstream.attempts !== attempts)
    problems.push(`${attempts} attempts, recorded ${upstream.attempts}`)
  return problems
}

function compareRequest(expected: UpstreamRequest, actual: UpstreamRequest): string[] {
  const problems: string[] = []
  for (const name of ['service', 'method', 'path'] as const) {
    if (!matches(expected[name], actual[name]))
      problems.push(`${name} upstream ${actual[name]}, recorded ${expected[name]}`)
  }
  for (const name of ['body_length', 'tls'] as const) {
    if (expected[name] !== actual[name]) problems.push(`${name} upstream ${actual[name]}, recorded ${expected[name]}`)
  }
  if (expected.header_names !== undefined && String(expected.header_names) !== String(actual.header_names)) {
    problems.push(`header names ${String(actual.header_names)}, recorded ${String(expected.header_names)}`)
  }
  const names = new Set([...Object.keys(expected.headers), ...Object.keys(actual.headers)])
  for (const name of names) {
    // RFC 9110 §7.6.3 asks for it; docs/reference/differences.md says so.
    if (name === 'via' && expected.headers[name] === undefined) continue
    const wanted = expected.headers[name] ?? []
    const got = actual.headers[name] ?? []
    const same = wanted.length === got.length && wanted.every((value, index) => matches(value, got[index]!))
    if (!same)
      problems.push(
        `upstream header ${name}: ${got.join(' || ') || '(none)'}, recorded ${wanted.join(' || ') || '(none)'}`,
      )
  }
  return problems
}

function compareReceived(expected: Expectation, actual: Outcome): string[] {
  const used = actual.upstream?.service
  const others = actual.records.filter(({ service }) => service !== used)
  const problems: string[] = []
  const wanted = expected.received ?? expected.mirrored
  if (wanted !== undefined) {
    if (wanted.length !== others.length) problems.push(`${others.length} other requests, recorded ${wanted.length}`)
    for (const request of wanted) {
      const candidates = others.filter(({ service }) => service === request.service)
      const best = candidates
        .map((candidate) => compareRequest(request, candidate))
        .toSorted((left, right) => left.length - right.length)[0]
      problems.push(...(best ?? [`nothing at ${request.service}`]).map((problem) => `${request.service}: ${problem}`))
    }
  }
  if (expected.upstream_requests !== undefined && expected.upstream_requests !== actual.records.length) {
    problems.push(`${actual.records.length} upstream requests, recorded ${expected.upstream_requests}`)
  }
  return problems
}

/** One answer of many. */
export interface Sample {
  readonly status: number
  readonly service?: string
  readonly path?: string
  readonly instance?: number
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly overloaded?: string
}

/** Shares, instances and kinds of many answers. `exactCounts`: they were as many, and at the same time, as recorded. */
export function compareMany(
  request: CaseRequest,
  expected: Expectation,
  samples: readonly Sample[],
  exactCounts: boolean,
): string[] {
  const { nominal_percent: nominal, split, instances_used: instances, per_instance: perInstance } = expected
  if (instances !== undefined) return compareInstances(instances, perInstance ?? [], samples)
  if (nominal !== undefined) return compareShares(nominal, samples)
  return compareKinds(request, split ?? [], samples, exactCounts)
}

function compareInstances(instances: number, perInstance: readonly number[], samples: readonly Sample[]): string[] {
  const counts = new Map<number, number>()
  for (const { instance = -1 } of samples) counts.set(instance, (counts.get(instance) ?? 0) + 1)
  if (counts.size !== instances) return [`${counts.size} instances used, recorded ${instances}`]
  const equal = perInstance.length > 1 && perInstance.every((count) => count === perInstance[0])
  const isRoundRobin = equal && [...counts.values()].some((count) => count !== perInstance[0])
  return isRoundRobin ? [`per instance ${[...counts.values()].join()}, recorded ${perInstance.join()}`] : []
}

function compareShares(nominal: Readonly<Record<string, number>>, samples: readonly Sample[]): string[] {
  const count = (key: string): number =>
    samples.filter(
      ({ status, service, path }) => key === String(status) || key === service || key === `${service} ${path}`,
    ).length
  const known = Object.keys(nominal).reduce((sum, key) => sum + count(key), 0)
  const problems = known === samples.length ? [] : [`${samples.length - known} answers that were not recorded`]
  for (const [key, percent] of Object.entries(nominal)) {
    const share = percent / 100
    const wanted = samples.length * share
    const bound = 4 * Math.sqrt(samples.length * share * (1 - share))
    if (Math.abs(count(key) - wanted) > bound)
      problems.push(`${key}: ${count(key)} of ${samples.length}, recorded ${percent} %`)
  }
  return problems
}

function compareKinds(
  request: CaseRequest,
  split: readonly SplitEntry[],
  samples: readonly Sample[],
  exactCounts: boolean,
): string[] {
  const pick = (headers: Readonly<Record<string, string>>, names: readonly string[] = []): Record<string, string> =>
    Object.fromEntries(names.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]!]))
  const hasPath = split.some(({ path }) => path !== undefined)
  const hasService = split.some(({ service }) => service !== undefined)
  const kinds = new Map<string, number>()
  for (const sample of samples) {
    const kind = JSON.stringify([
      sample.status,
      hasService ? sample.service : undefined,
      hasPath ? sample.path : undefined,
      request.by_headers && pick(sample.requestHeaders, request.by_headers),
      request.by_response_headers && pick(sample.responseHeaders, request.by_response_headers),
    ])
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  const recorded = new Map(
    split.map((entry) => [
      JSON.stringify([
        entry.status,
        entry.service,
        entry.path,
        request.by_headers && (entry.request_headers ?? {}),
        request.by_response_headers && (entry.response_headers ?? {}),
      ]),
      entry.count,
    ]),
  )
  const problems: string[] = []
  for (const kind of kinds.keys()) if (!recorded.has(kind)) problems.push(`answers of kind ${kind}, not recorded`)
  for (const [kind, count] of recorded) {
    if (!kinds.has(kind)) problems.push(`no answer of kind ${kind}`)
    else if (exactCounts && kinds.get(kind) !== count)
      problems.push(`${kinds.get(kind)} answers of kind ${kind}, recorded ${count}`)
  }
  return problems
}
