/** The recorded cases, as their page explains them (conformance/README.md). */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

export interface Case {
  readonly id: string
  readonly title: string
  readonly group: string
  readonly resources: string
  readonly requests: readonly CaseRequest[]
  /** As many as requests; null where nothing was recorded because the whole set was refused. */
  readonly expect: readonly (Expectation | null)[]
  readonly endpoints?: Readonly<Record<string, number | 'refused'>>
  readonly diagnostics?: {
    readonly errors?: Readonly<Record<string, readonly string[]>>
    readonly groups?: readonly (readonly GroupMember[])[]
  }
  readonly schema_errors?: readonly string[]
  readonly rejected_by_envoy?: string
  readonly compiler?: { readonly exception?: string }
}

interface GroupMember {
  readonly mapping: string
  readonly cumulative?: number
  readonly redirect?: boolean
  readonly shadow?: boolean
}

export type HeaderList = readonly (readonly [string, string])[]

export interface CaseRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: HeaderList
  readonly body?: string
  readonly http?: string
  readonly port?: number
  readonly tls?: { readonly sni?: string; readonly max_version?: string; readonly alpn?: readonly string[] }
  readonly source?: string
  readonly fill?: { readonly header: string; readonly length: number }
  readonly raw?: string
  readonly send?: string
  readonly repeat?: number
  readonly new_connection?: boolean
  readonly parallel?: number
  readonly by_instance?: boolean
  readonly by_headers?: readonly string[]
  readonly by_response_headers?: readonly string[]
  readonly mirror_services?: readonly string[]
}

export interface UpstreamRequest {
  readonly service: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly body_length?: number
  readonly attempts?: number
  readonly tls?: boolean
  readonly header_names?: readonly string[]
}

export interface SplitEntry {
  readonly status: number
  readonly service?: string
  readonly path?: string
  readonly request_headers?: Readonly<Record<string, string>>
  readonly response_headers?: Readonly<Record<string, string>>
  readonly count: number
}

export interface Expectation {
  readonly status?: number
  readonly headers?: HeaderList
  readonly upstream?: UpstreamRequest | null
  readonly body_from?: string
  /** Only in cases of our own: the whole body. */
  readonly own_body?: string
  readonly received?: readonly UpstreamRequest[]
  readonly upstream_requests?: number
  readonly mirrored?: readonly UpstreamRequest[]
  readonly mirrored_count?: Readonly<Record<string, number>>
  readonly took_ms_at_least?: number
  readonly certificate?: string
  readonly tls_version?: string
  readonly alpn?: string | null
  readonly error?: string
  readonly echoed?: string
  readonly of?: number
  readonly split?: readonly SplitEntry[]
  readonly nominal_percent?: Readonly<Record<string, number>>
  readonly instances_used?: number
  readonly per_instance?: readonly number[]
}

export const repository: string = resolve(import.meta.dirname, '../../../../..')

export function readCases(): readonly Case[] {
  const text = readFileSync(resolve(repository, 'conformance/emissary.jsonl'), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Case)
}

/** Every service that a case's expectations name, or its AuthServices: `host[.namespace]:port`. */
export function servicesOf({ expect, endpoints = {}, resources }: Case): string[] {
  const names = new Set(Object.keys(endpoints))
  for (const [, name] of resources.matchAll(/^\s*auth_service: ([\w.-]+:\d+)$/gm)) names.add(name!)
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { service, body_from: bodyFrom } = value as { service?: unknown; body_from?: unknown }
    for (const name of [service, bodyFrom]) if (typeof name === 'string') names.add(name)
    for (const child of Object.values(value)) visit(child)
  }
  visit(expect)
  return [...names]
}
