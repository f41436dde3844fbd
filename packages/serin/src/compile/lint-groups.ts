/** What is legal in a set of Mappings but probably not meant, and what Emissary would do differently with it. */
import { SHARE_WHOLE } from '../model/split.ts'
import type { RouteMatch, TextMatch } from '../model/match.ts'
import type { MappingSpec } from '../resources/ambassador/types.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import type { KubeObject } from '../resources/object.ts'
import type { CompileResult } from './compile.ts'
import type { MappingPlan } from './plan.ts'
import { Report } from './report.ts'
import type { CompiledGroup } from './routes.ts'

/** Pairs of routes that are compared at most when looking for hidden ones. */
const PAIRS_MAX = 1_000_000
const PERCENT = SHARE_WHOLE / 100

/** Pure. */
export function lintGroups(result: CompileResult, objects: readonly KubeObject[]): Diagnostic[] {
  const found: Diagnostic[] = []
  const about = (plan: MappingPlan, report: (report: Report) => void): void => {
    const collector = new Report(plan.origin)
    report(collector)
    found.push(...collector.diagnostics)
  }
  for (const group of result.groups) {
    lintShares(group, about)
    lintMerging(group, about)
    for (const { plan } of group.shares) about(plan, (report) => lintMapping(plan, report))
  }
  lintHidden(result.groups, about)
  found.push(...lintListeners(result, objects))
  return found
}

type About = (plan: MappingPlan, report: (report: Report) => void) => void

function lintShares({ shares, held }: CompiledGroup, about: About): void {
  const [first] = shares
  if (first === undefined || held !== undefined) return
  const weighted = shares.filter(({ plan }) => plan.weight !== undefined)
  const weightless = shares.filter(({ plan }) => plan.weight === undefined)
  const path = ['spec', 'weight']
  if (shares.length === 1 && first.plan.weight !== undefined && first.plan.weight !== 100) {
    about(first.plan, (report) =>
      report.warning(
        'lonely-weight',
        `weight ${first.plan.weight} has no effect: no other Mapping has the same prefix, host, headers and precedence`,
        {
          path,
          notes: ['it takes all requests, here and in Emissary'],
        },
      ),
    )
  } else if (weightless.length === 0 && shares.length > 1) {
    const sum = shares.reduce((total, { share }) => total + share, 0)
    if (sum < SHARE_WHOLE) {
      about(weighted.at(-1)!.plan, (report) =>
        report.warning('shares-missing', `the weights of this route add up to ${sum / PERCENT}`, {
          path,
          expected: '100 in all, or one Mapping without a weight',
          notes: [
            `${100 - sum / PERCENT} % of the requests go to the next route that matches, or get 404; in Emissary too`,
          ],
        }),
      )
    }
  } else if (weightless.length > 1) {
    const others = weightless.slice(0, -1).map(({ plan }) => `"${plan.origin.name}"`)
    about(weightless.at(-1)!.plan, (report) =>
      report.warning(
        'no-weights',
        `shares its requests equally with ${others.join(', ')}, which match${others.length === 1 ? 'es' : ''} the same and ${others.length === 1 ? 'has' : 'have'} no weight either`,
        {
          path: ['spec', 'prefix'],
          notes: ['give the newer version a weight, or remove one of them'],
        },
      ),
    )
  }
}

const MERGED_FIELDS = [
  'add_request_headers',
  'add_response_headers',
  'remove_request_headers',
  'remove_response_headers',
  'cors',
  'retry_policy',
  'regex_rewrite',
  'allow_upgrade',
  'priority',
] as const satisfies readonly (keyof MappingSpec)[]

/** Emissary merges these over the versions of a route; here each version has its own. */
function lintMerging({ shares }: CompiledGroup, about: About): void {
  if (shares.length < 2) return
  const specOf = (plan: MappingPlan): Partial<MappingSpec> => (plan.object.spec ?? {}) as Partial<MappingSpec>
  for (const field of MERGED_FIELDS) {
    const values = new Set(shares.map(({ plan }) => JSON.stringify(specOf(plan)[field])))
    const owner = shares.find(({ plan }) => specOf(plan)[field] !== undefined)?.plan
    if (values.size < 2 || owner === undefined) continue
    about(owner, (report) =>
      report.note('emissary-merges', `${field} differs between the versions of this route`, {
        path: ['spec', field],
        notes: ['here each version has its own; Emissary merges them and gives one result to all versions'],
      }),
    )
  }
}

function lintMapping(plan: MappingPlan, report: Report): void {
  const spec = (plan.object.spec ?? {}) as Partial<MappingSpec>
  const { prefix = '', rewrite, regex_rewrite: regex } = spec
  const isForward = plan.role.kind === 'forward'
  if (
    isForward &&
    plan.match.path.kind === 'prefix' &&
    !prefix.endsWith('/') &&
    rewrite === undefined &&
    regex === undefined
  ) {
    report.note('double-slash', `without a slash at the end, ${prefix}/x goes upstream as //x`, {
      path: ['spec', 'prefix'],
      suggestion: `prefix: ${prefix}/`,
    })
  }
  if (typeof rewrite === 'string' && rewrite !== '' && !rewrite.startsWith('/')) {
    report.warning('relative-rewrite', 'a rewrite without a slash at the start gives a path that servers refuse', {
      path: ['spec', 'rewrite'],
      suggestion: `rewrite: /${rewrite}`,
    })
  }
  if (!prefix.startsWith('/') && plan.match.path.kind !== 'regex') {
    report.warning('relative-prefix', `no path begins with "${prefix}"`, {
      path: ['spec', 'prefix'],
      suggestion: `prefix: /${prefix}`,
    })
  }
  lintForEmissary(spec, plan, report)
}

/** What works here and not there. */
function lintForEmissary(spec: Partial<MappingSpec>, plan: MappingPlan, report: Report): void {
  if (spec.error_response_overrides !== undefined) {
    report.note('emissary-drops', 'Emissary 4 drops a Mapping with error_response_overrides', {
      path: ['spec', 'error_response_overrides'],
    })
  }
  if (spec.keepalive?.idle_time !== undefined) {
    report.note('emissary-ignores', 'Emissary ignores keepalive.idle_time', {
      path: ['spec', 'keepalive', 'idle_time'],
    })
  }
  for (const name of Object.keys(plan.object.metadata.annotations ?? {})) {
    if (!name.startsWith('serin.dev/')) continue
    report.note('emissary-ignores', `Emissary ignores the annotation ${name}`, {
      path: ['metadata', 'annotations', name],
    })
  }
}

/** Routes that no request reaches, because one before them takes all that they match. */
function lintHidden(groups: readonly CompiledGroup[], about: About): void {
  let pairs = 0
  const byPrefix = new Map<string, CompiledGroup[]>()
  const raised: CompiledGroup[] = []
  for (const group of groups) {
    const { founder, route } = group
    if (route === undefined) continue
    const prefix = founder.match.path.value
    const same = byPrefix.get(prefix) ?? []
    const before = [...raised, ...same]
    pairs += before.length
    if (pairs > PAIRS_MAX) return
    const cover = before.find((earlier) => covers(earlier, group))
    if (cover !== undefined) about(founder, (report) => reportHidden(report, cover))
    byPrefix.set(prefix, [...same, group])
    // Without a precedence a shorter prefix never comes before a longer one.
    if (Number(founder.rank[0]) !== 0) raised.push(group)
  }
}

function reportHidden(report: Report, cover: CompiledGroup): void {
  const name = `"${cover.founder.origin.name}"`
  report.warning(
    'unreachable',
    `no request reaches this Mapping: Mapping ${name} comes before it and takes all that it matches`,
    {
      path: ['spec', 'prefix'],
      notes: ['the two are not one canary: their headers, host, method or precedence are written differently'],
    },
  )
}

function covers(earlier: CompiledGroup, later: CompiledGroup): boolean {
  const total = earlier.shares.reduce((sum, { share }) => sum + share, 0)
  const [wide, narrow] = [earlier.founder.match, later.founder.match]
  const hosts = new Set(earlier.route?.virtualHosts)
  return (
    total >= SHARE_WHOLE &&
    later.route!.virtualHosts.every((name) => hosts.has(name)) &&
    coversPath(wide, narrow, earlier) &&
    (wide.host === undefined || isEqual(wide.host, narrow.host)) &&
    (wide.method === undefined || isEqual(wide.method, narrow.method)) &&
    wide.headers.every(({ name, match }) =>
      narrow.headers.some((other) => other.name === name && isEqual(other.match, match)),
    ) &&
    wide.query.every(({ name, match }) =>
      narrow.query.some((other) => other.name === name && isEqual(other.match, match)),
    )
  )
}

function coversPath(wide: RouteMatch, narrow: RouteMatch, { shares }: CompiledGroup): boolean {
  const folds = shares.every(({ plan }) => !plan.caseSensitive)
  if (isEqual(wide.path, narrow.path)) return true
  if (wide.path.kind !== 'prefix' || narrow.path.kind === 'regex') return false
  const [start, whole] = [wide.path.value, narrow.path.value]
  return folds ? whole.toLowerCase().startsWith(start.toLowerCase()) : whole.startsWith(start)
}

function isEqual(left: TextMatch | object, right: TextMatch | object | undefined): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

const USUAL_PORTS: readonly number[] = [80, 443]

function lintListeners(result: CompileResult, objects: readonly KubeObject[]): Diagnostic[] {
  const { listeners, virtualHosts, settings, routes } = result.snapshot
  const found: Diagnostic[] = []
  const hasListener = objects.some(({ kind }) => kind === 'Listener')
  const [firstRoute] = routes
  if (!hasListener && firstRoute !== undefined) {
    const report = new Report(firstRoute.origin)
    report.warning('no-listener', 'there is no Listener, so nothing listens', {
      notes: ['in Emissary neither; add a Listener with a port'],
    })
    found.push(...report.diagnostics)
  }
  const hasTls = virtualHosts.some(({ tls }) => tls !== undefined)
  for (const host of virtualHosts) {
    const served = listeners.some(
      ({ virtualHosts: names, securityModel }) => names.includes(host.name) && securityModel !== 'secure',
    )
    if (host.insecure !== 'redirect' || hasTls || !served || !objects.some(({ kind }) => kind === 'Host')) continue
    const report = new Report(host.origin)
    report.warning('redirect-without-tls', 'requests are redirected to https, and no Host has a certificate', {
      path: ['spec', 'requestPolicy'],
      suggestion: 'requestPolicy: {insecure: {action: Route}}',
      notes: ['Redirect is the default, in Emissary too'],
    })
    found.push(...report.diagnostics)
  }
  const unusual = listeners.find(
    ({ port, protocol }) => !USUAL_PORTS.includes(port) && (protocol === 'http' || protocol === 'https'),
  )
  if (unusual !== undefined && settings.stripHostPort === 'none') found.push(...lintHostPorts(result, unusual.port))
  return found
}

/** A client on an unusual port sends `Host: a.com:8080`, and that is not `a.com`. */
function lintHostPorts({ groups }: CompileResult, port: number): Diagnostic[] {
  return groups.flatMap(({ founder, route }) => {
    const { host } = founder.match
    if (route === undefined || host?.kind !== 'exact' || host.value.includes(':')) return []
    const report = new Report(founder.origin)
    report.note('host-port', `requests to ${host.value}:${port} say so in their Host header and get 404`, {
      path: ['spec', 'hostname'],
      notes: ['in Emissary too; strip_matching_host_port in the Module ambassador helps in both'],
    })
    return report.diagnostics
  })
}
