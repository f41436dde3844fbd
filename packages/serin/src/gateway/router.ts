/**
 * The Routes of one VirtualHost, by host, then path. Ambassador's order (Route.rank) decides among those that match; only
 * Routes whose host and literal path fit are looked at. Immutable; `edit` makes the next one (see path-trie.ts).
 */
import { compareRank, type Route } from '../model/route.ts'
import type { CompiledDestination } from './compiled-destination.ts'
import { CompiledRoute, type RouteQuery } from './compiled-route.ts'
import { findRoutes, insert, isEmpty, newNode, remove, type TrieNode } from './path-trie.ts'

/** Two trees: paths with regard to case, and without. */
interface PathTable {
  exact: TrieNode | null
  folded: TrieNode | null
}

export interface Router {
  /** `Host` is exactly this. */
  readonly hosts: ReadonlyMap<string, PathTable>
  /** `Host` ends with this; and the lengths that occur, longest first. */
  readonly suffixes: ReadonlyMap<string, PathTable>
  readonly suffixLengths: readonly number[]
  readonly prefixes: ReadonlyMap<string, PathTable>
  readonly prefixLengths: readonly number[]
  /** Any host, or a pattern that the Route tries itself. */
  readonly any: PathTable
}

export const EMPTY_ROUTER: Router = {
  hosts: new Map(),
  suffixes: new Map(),
  suffixLengths: [],
  prefixes: new Map(),
  prefixLengths: [],
  any: { exact: null, folded: null },
}

/** What was found: the Route and the version. Refilled, not allocated. */
export interface Found {
  route: CompiledRoute | null
  destination: CompiledDestination | null
}

/** Lists that fit a request; a few at most: exact host, globs, any, each with and without regard to case. */
const lists: (readonly CompiledRoute[])[] = []
const positions: number[] = []
/** How many of them are of this request. (To set an array's length costs a call into the runtime.) */
let listCount = 0

/** The first Route in order that matches and gives the request to one of its versions. */
export function findRoute(router: Router, query: RouteQuery, found: Found): void {
  found.route = null
  found.destination = null
  gather(router, query)
  if (listCount === 1) {
    for (const route of lists[0]!) if (tried(route, query, found)) return
    return
  }
  for (let route = nextInOrder(); route !== null; route = nextInOrder()) if (tried(route, query, found)) return
}

function tried(route: CompiledRoute, query: RouteQuery, found: Found): boolean {
  if (!route.matches(query)) return false
  const destination = route.choose(query)
  if (destination === null) return false
  found.route = route
  found.destination = destination
  return true
}

function gather(router: Router, query: RouteQuery): void {
  listCount = 0
  const { host } = query
  if (router.hosts.size > 0) gatherTable(router.hosts.get(host), query)
  for (const length of router.suffixLengths) {
    if (length <= host.length) gatherTable(router.suffixes.get(host.slice(host.length - length)), query)
  }
  for (const length of router.prefixLengths) {
    if (length <= host.length) gatherTable(router.prefixes.get(host.slice(0, length)), query)
  }
  gatherTable(router.any, query)
}

function gatherTable(table: PathTable | undefined, query: RouteQuery): void {
  if (table === undefined) return
  if (table.exact !== null) push(findRoutes(table.exact, query.path))
  if (table.folded !== null) {
    query.folded ||= query.path.toLowerCase()
    push(findRoutes(table.folded, query.folded))
  }
}

function push(routes: readonly CompiledRoute[]): void {
  if (routes.length === 0) return
  lists[listCount] = routes
  positions[listCount++] = 0
}

/** The Route of largest rank that has not been tried. */
function nextInOrder(): CompiledRoute | null {
  let best: CompiledRoute | null = null
  let from = -1
  for (let index = 0; index < listCount; index++) {
    const route = lists[index]![positions[index]!]
    if (route === undefined) continue
    if (best === null || compareRank(route.route.rank, best.route.rank) > 0) {
      best = route
      from = index
    }
  }
  if (from >= 0) positions[from]!++
  return best
}

/** Makes the next Router: changes gathered, then `finish`. Costs what changes, not what there is. */
export class RouterEdit {
  private readonly edit: object
  private hosts: Map<string, PathTable> | null = null
  private suffixes: Map<string, PathTable> | null = null
  private prefixes: Map<string, PathTable> | null = null
  private any: PathTable | null = null
  private readonly before: Router

  constructor(before: Router, edit: object) {
    this.before = before
    this.edit = edit
  }

  set(route: CompiledRoute): void {
    this.change(route, (root, text) => insert(root ?? newNode(this.edit, ''), this.edit, text, route))
  }

  remove(route: CompiledRoute): void {
    this.change(route, (root, text) => {
      if (root === null) return null
      const after = remove(root, this.edit, text, route.route.id)
      return isEmpty(after) ? null : after
    })
  }

  finish(): Router {
    const { before } = this
    return {
      hosts: this.hosts ?? before.hosts,
      suffixes: this.suffixes ?? before.suffixes,
      suffixLengths: this.suffixes ? lengths(this.suffixes) : before.suffixLengths,
      prefixes: this.prefixes ?? before.prefixes,
      prefixLengths: this.prefixes ? lengths(this.prefixes) : before.prefixLengths,
      any: this.any ?? before.any,
    }
  }

  private change(route: CompiledRoute, edit: (root: TrieNode | null, text: string) => TrieNode | null): void {
    const { host } = route.route.match
    const kind = host?.kind
    if (kind === 'exact') this.changeIn((this.hosts ??= new Map(this.before.hosts)), host!, route, edit)
    else if (kind === 'suffix') this.changeIn((this.suffixes ??= new Map(this.before.suffixes)), host!, route, edit)
    else if (kind === 'prefix') this.changeIn((this.prefixes ??= new Map(this.before.prefixes)), host!, route, edit)
    else this.any = changed(this.any ?? this.before.any, route, edit)
  }

  private changeIn(
    tables: Map<string, PathTable>,
    host: NonNullable<Route['match']['host']>,
    route: CompiledRoute,
    edit: (root: TrieNode | null, text: string) => TrieNode | null,
  ): void {
    const key = 'value' in host ? host.value : ''
    const after = changed(tables.get(key) ?? { exact: null, folded: null }, route, edit)
    if (after.exact === null && after.folded === null) tables.delete(key)
    else tables.set(key, after)
  }
}

function changed(
  table: PathTable,
  route: CompiledRoute,
  edit: (root: TrieNode | null, text: string) => TrieNode | null,
): PathTable {
  if (route.folds) return { exact: table.exact, folded: edit(table.folded, route.literal) }
  return { exact: edit(table.exact, route.literal), folded: table.folded }
}

function lengths(tables: ReadonlyMap<string, unknown>): number[] {
  return [...new Set([...tables.keys()].map((key) => key.length))].sort((a, b) => b - a)
}
