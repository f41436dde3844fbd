import type { OutBuffer } from '../wire/out-buffer.ts'

/** A header's name, prepared once for many searches. */
export interface HeaderName {
  /** Lower case. */
  readonly text: string
  readonly octets: Uint8Array
  /** `nameHash` of the octets. */
  readonly hash: number
  /** One of FIELD (wire/field-names.ts). */
  readonly field: number
}

/** What can be said of one finished request. The exchange is one itself, or fills one that it uses again and again. */
export interface AccessEntry {
  /** Epoch ms of the first octet of the request. */
  readonly startMs: number
  /** From there to the last octet of the response, in ms. */
  readonly durationMs: number
  /** From there to the whole request received, and to the first octet of the upstream's response; -1: did not happen. */
  readonly requestMs: number
  readonly responseMs: number
  /** Sent to the client; 0: none. */
  readonly status: number
  /** Of `FLAG`. */
  readonly flags: number
  /** A word for what happened (`via_upstream`, `route_not_found`), as Envoy's response code details. */
  readonly details: string | undefined
  /** Octets of the bodies. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly method: string
  /** As received, before a rewrite, with its query. */
  readonly path: string
  /** As sent upstream. */
  readonly upstreamPath: string | undefined
  readonly protocol: string
  readonly authority: string | undefined
  /** From the request sent upstream to the head of the response; -1: none. */
  readonly upstreamServiceMs: number
  /** `address:port` of the endpoint. */
  readonly upstreamHost: string | undefined
  readonly upstreamCluster: string | undefined
  readonly upstreamLocalAddress: string | undefined
  readonly upstreamFailure: string | undefined
  /** 1: no retry. 0: never sent. */
  readonly upstreamAttempts: number
  /** `address:port`. Remote: after trusted proxies; direct: the TCP peer. */
  readonly downstreamRemoteAddress: string | undefined
  readonly downstreamDirectAddress: string | undefined
  readonly downstreamLocalAddress: string | undefined
  readonly requestedServerName: string | undefined
  readonly connectionId: number
  readonly mapping: string | undefined
  readonly version: string | undefined
  /** Appends the value of a header as it went upstream; false if there is none. */
  writeRequestHeader(name: HeaderName, out: OutBuffer): boolean
  /** The value of a header as it came from there, `name` in lower case. Octets as latin1. */
  responseHeader(name: string): string | undefined
}
