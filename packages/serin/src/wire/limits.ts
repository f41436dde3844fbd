/** Every bound of the data plane: one name, one default, one place. Sizes are octets, times milliseconds; 0 as a time means no limit. */
export interface Limits {
  /** Request or response head from the first octet to the empty line. Beyond: 431, or 502 for a response. */
  readonly headBytesMax: number
  /** Field lines of a head. Beyond: 431, or 502 for a response. */
  readonly fieldsMax: number
  readonly fieldNameBytesMax: number
  /** Method, target and version together (RFC 9112 §3 asks for at least 8,000). Beyond: 414. */
  readonly requestLineBytesMax: number
  /** Options of all Connection fields of a message. Beyond: 400. */
  readonly connectionOptionsMax: number
  /** How often a request may have passed a serin before, by its Via: a route that leads back to the gateway ends there. Beyond: 508. */
  readonly hopsMax: number
  /** Body of a request, declared or counted. Beyond: 413. 0: no limit (as Envoy without its buffer filter). */
  readonly requestBodyBytesMax: number
  /** One line of chunk size and extensions. */
  readonly chunkLineBytesMax: number
  /** All chunk extensions of a message; a sender of many tiny chunks pays for them. */
  readonly chunkExtensionBytesMax: number
  readonly trailerBytesMax: number
  readonly trailersMax: number
  /** Interim (1xx) responses before a final one. Beyond: 502. */
  readonly interimResponsesMax: number
  /** Requests on one client connection, then `Connection: close`. */
  readonly requestsPerConnectionMax: number
  /** Pipelined requests of one client that are taken in a row; then others are served first. */
  readonly pipelinedRequestsMax: number
  /** Octets of pipelined requests kept while an answer is due; then the client is not read. */
  readonly pipelinedBytesMax: number
  /** Octets waiting to be sent to a peer that does not read, then its source is not read. */
  readonly bufferedBytesMax: number
  readonly connectionsPerWorkerMax: number
  /** 0: no limit. */
  readonly connectionsPerClientMax: number
  /** Requests under way in one worker. Beyond: 503 with Retry-After, before anything is done for them. */
  readonly requestsPerWorkerMax: number
  /** How late the event loop may be on average before new requests are refused in the same way. */
  readonly loopLagMsMax: number
  /** Requests waiting for a connection to one endpoint, per worker. Beyond: 503. */
  readonly queuedPerEndpointMax: number
  /** Idle connections kept to one endpoint, per worker. */
  readonly idlePerEndpointMax: number
  /** Requests on one upstream connection, then it is closed. */
  readonly requestsPerUpstreamConnectionMax: number
  /** From accept, or from the first octet after idleness, to the end of the head. Absolute. Then 408. */
  readonly headMs: number
  /** A kept-alive client connection without a request. */
  readonly idleMs: number
  /** A request body must bring `bodyBytesPerSecondMin` on average, after this grace. Then 408. */
  readonly bodyGraceMs: number
  readonly bodyBytesPerSecondMin: number
  /** A client that takes nothing of an answer for this long is cut off. */
  readonly writeStallMs: number
  /** A pooled upstream connection without a request. */
  readonly upstreamIdleMs: number
  /** A tunnel (Upgrade) without an octet in either direction. */
  readonly tunnelIdleMs: number
  /** After our FIN the client's octets are read away for so long, so that it sees the answer and no RST (RFC 9112 §9.6). */
  readonly lingerMs: number
  readonly lingerBytesMax: number
  /** The rest of a request body that is read away so that the connection can be kept, after an answer that did not need it. */
  readonly drainBytesMax: number
  /** Streams of one HTTP/2 client connection at a time, and requests on one to an upstream (Envoy's default). */
  readonly http2StreamsMax: number
  /** Of a stream's body before the other side has taken it. */
  readonly http2WindowBytes: number
  /** State of one HTTP/2 session in Node, megabytes: heads and what is buffered. Beyond: it ends. */
  readonly http2SessionMegabytesMax: number
  /** Streams that an HTTP/2 client may reset in a row (CVE-2023-44487), refilled at the rate below. Beyond: ENHANCE_YOUR_CALM. */
  readonly http2ResetsMax: number
  readonly http2ResetsPerSecond: number
  /** A worker from which nothing was heard for so long hangs: it is killed and replaced. */
  readonly workerSilentMs: number
  /** What `Retry-After` says when we are overloaded, in seconds. */
  readonly retryAfterSeconds: number
}

export const DEFAULT_LIMITS: Limits = {
  headBytesMax: 60 * 1024,
  fieldsMax: 100,
  fieldNameBytesMax: 256,
  requestLineBytesMax: 16 * 1024,
  connectionOptionsMax: 16,
  hopsMax: 10,
  requestBodyBytesMax: 0,
  chunkLineBytesMax: 4096,
  chunkExtensionBytesMax: 16 * 1024,
  trailerBytesMax: 8 * 1024,
  trailersMax: 32,
  interimResponsesMax: 8,
  requestsPerConnectionMax: 1_000_000,
  pipelinedRequestsMax: 32,
  pipelinedBytesMax: 64 * 1024,
  bufferedBytesMax: 256 * 1024,
  connectionsPerWorkerMax: 16_000,
  connectionsPerClientMax: 0,
  requestsPerWorkerMax: 20_000,
  loopLagMsMax: 1000,
  queuedPerEndpointMax: 1024,
  idlePerEndpointMax: 256,
  requestsPerUpstreamConnectionMax: 1_000_000,
  headMs: 10_000,
  idleMs: 3_600_000,
  bodyGraceMs: 10_000,
  bodyBytesPerSecondMin: 1000,
  writeStallMs: 30_000,
  upstreamIdleMs: 60_000,
  tunnelIdleMs: 300_000,
  lingerMs: 1000,
  lingerBytesMax: 16 * 1024 * 1024,
  drainBytesMax: 256 * 1024,
  http2StreamsMax: 100,
  http2WindowBytes: 256 * 1024,
  http2SessionMegabytesMax: 4,
  http2ResetsMax: 100,
  http2ResetsPerSecond: 10,
  workerSilentMs: 30_000,
  retryAfterSeconds: 1,
}
