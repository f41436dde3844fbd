/** Finds the versioned scopes of a running app. */

import type { FastifyInstance } from 'fastify'
import type { UsageCounter } from '../core/usage.ts'
import type { Plan } from './plan.ts'

export interface RegisteredScope {
  readonly plan: Plan
  readonly usage: UsageCounter | undefined
}

/** By the server that all instances of an app share. */
const scopes = new WeakMap<object, RegisteredScope[]>()

export function remember(scope: FastifyInstance, registered: RegisteredScope): void {
  const list = scopes.get(scope.server) ?? []
  scopes.set(scope.server, [...list, registered])
}

export interface ScopeChoice {
  /** The prefix that the versioned part was registered with, where an app has several. */
  readonly prefix?: string
}

/** The one versioned scope of an app, or the one with this prefix. Throws if there is none or a choice is needed. */
export async function findScope(app: FastifyInstance, { prefix }: ScopeChoice = {}): Promise<RegisteredScope> {
  await app.ready()
  const list = scopes.get(app.server) ?? []
  const wanted = prefix === undefined ? list : list.filter(({ plan }) => plan.base === prefix.replace(/\/$/, ''))
  const [found] = wanted
  if (found !== undefined && wanted.length === 1) return found
  const known = list.map(({ plan }) => JSON.stringify(plan.base)).join(', ')
  if (list.length === 0) throw new Error('this app has registered nothing with versioned()')
  throw new Error(
    found === undefined
      ? `no versioned part has the prefix ${JSON.stringify(prefix)}; there are ${known}`
      : `this app has several versioned parts; name the prefix of one: ${known}`,
  )
}

/** The counters of a versioned scope; `usage` or `onVersionUsed` has to be set. */
export async function versionUsage(app: FastifyInstance, choice: ScopeChoice = {}): Promise<UsageCounter> {
  const { usage } = await findScope(app, choice)
  if (usage === undefined) throw new Error(`nothing is counted: give versioned() the option 'usage: true'`)
  return usage
}
