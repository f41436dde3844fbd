/**
 * Routes by the literal text their paths begin with: a radix tree. A look-up walks the path once, however many Routes there are.
 *
 * Immutable to the reader: an editor copies the nodes it changes (those with its own `edit` token it may change in place), so
 * the Plan in use is never touched while the next one is built, and a changed Route costs the nodes on its path.
 */
import { compareRank } from '../model/route.ts'
import type { CompiledRoute } from './compiled-route.ts'

export interface TrieNode {
  readonly edit: object
  /** Text of the edge that leads here. */
  label: string
  readonly children: Map<number, TrieNode>
  /** Routes whose literal prefix ends here, largest rank first. */
  routes: readonly CompiledRoute[]
  /** `routes` and those of all nodes above, largest rank first; made when first needed, from `above`. */
  chain: readonly CompiledRoute[] | null
  above: readonly CompiledRoute[] | null
}

export const NO_ROUTES: readonly CompiledRoute[] = []

export function newNode(edit: object, label: string): TrieNode {
  return { edit, label, children: new Map(), routes: NO_ROUTES, chain: null, above: null }
}

/** All Routes whose literal prefix `path` begins with, largest rank first. */
export function findRoutes(root: TrieNode, path: string): readonly CompiledRoute[] {
  let node = root
  let chain = chainOf(root, NO_ROUTES)
  let at = 0
  while (at < path.length) {
    const child = node.children.get(path.charCodeAt(at))
    if (child === undefined || !path.startsWith(child.label, at)) break
    chain = chainOf(child, chain)
    at += child.label.length
    node = child
  }
  return chain
}

function chainOf(node: TrieNode, above: readonly CompiledRoute[]): readonly CompiledRoute[] {
  if (node.chain !== null && node.above === above) return node.chain
  node.above = above
  node.chain = node.routes.length === 0 ? above : above.length === 0 ? node.routes : merge(node.routes, above)
  return node.chain
}

/** Merges two lists that are each sorted by rank, largest first. */
function merge(left: readonly CompiledRoute[], right: readonly CompiledRoute[]): readonly CompiledRoute[] {
  const merged: CompiledRoute[] = []
  let at = 0
  for (const route of left) {
    while (at < right.length && compareRank(right[at]!.route.rank, route.route.rank) > 0) merged.push(right[at++]!)
    merged.push(route)
  }
  return [...merged, ...right.slice(at)]
}

/** Adds a Route under `text`. Returns the new root. */
export function insert(root: TrieNode, edit: object, text: string, route: CompiledRoute): TrieNode {
  const top = editable(root, edit)
  let node = top
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    const child = node.children.get(code)
    if (child === undefined) {
      const leaf = newNode(edit, text.slice(at))
      node.children.set(code, leaf)
      node = leaf
      break
    }
    const shared = commonLength(child.label, text, at)
    if (shared === child.label.length) {
      const next = editable(child, edit)
      node.children.set(code, next)
      node = next
    } else node = divide(node, child, shared, edit)
    at += shared
  }
  node.routes = [...node.routes, route].sort((a, b) => compareRank(b.route.rank, a.route.rank))
  node.chain = null
  return top
}

/** Takes a Route away from `text`. Returns the new root; empty branches go too. */
export function remove(root: TrieNode, edit: object, text: string, id: string): TrieNode {
  const top = editable(root, edit)
  const path: TrieNode[] = [top]
  let node = top
  for (let at = 0; at < text.length;) {
    const child = node.children.get(text.charCodeAt(at))
    if (child === undefined || !text.startsWith(child.label, at)) return top
    const next = editable(child, edit)
    node.children.set(text.charCodeAt(at), next)
    path.push(next)
    at += child.label.length
    node = next
  }
  node.routes = node.routes.filter((route) => route.route.id !== id)
  node.chain = null
  prune(path)
  return top
}

export function isEmpty(root: TrieNode): boolean {
  return root.routes.length === 0 && root.children.size === 0
}

function prune(path: TrieNode[]): void {
  for (let depth = path.length - 1; depth > 0; depth--) {
    const node = path[depth]!
    if (!isEmpty(node)) return
    path[depth - 1]!.children.delete(node.label.charCodeAt(0))
  }
}

function editable(node: TrieNode, edit: object): TrieNode {
  if (node.edit === edit) return node
  return { edit, label: node.label, children: new Map(node.children), routes: node.routes, chain: null, above: null }
}

/** Puts a node between `parent` and `child` after `length` characters of the child's label. */
function divide(parent: TrieNode, child: TrieNode, length: number, edit: object): TrieNode {
  const middle = newNode(edit, child.label.slice(0, length))
  const lower = editable(child, edit)
  lower.label = child.label.slice(length)
  middle.children.set(lower.label.charCodeAt(0), lower)
  parent.children.set(middle.label.charCodeAt(0), middle)
  return middle
}

function commonLength(label: string, text: string, at: number): number {
  const most = Math.min(label.length, text.length - at)
  let length = 0
  while (length < most && label.charCodeAt(length) === text.charCodeAt(at + length)) length++
  return length
}
