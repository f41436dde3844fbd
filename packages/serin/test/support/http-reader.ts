/** A second opinion: a small, strict reader of HTTP/1.1 streams, written apart from `wire/`, that the tests judge the gateway by. */

export interface ReadMessage {
  readonly startLine: string
  /** Name as sent, value. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  readonly trailers: readonly (readonly [string, string])[]
  readonly complete: boolean
  /** Offset in the stream after the message. */
  readonly end: number
  readonly raw: string
}

export interface ReadRequest extends ReadMessage {
  readonly method: string
  readonly target: string
  readonly version: string
}

export interface ReadResponse extends ReadMessage {
  readonly status: number
}

/** Not HTTP/1.1 in the strictest reading. */
export class NotHttp extends Error {}

const NAME = /^[!#$%&'*+\-.^_`|~\w]+$/
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** All requests of a latin1 stream; the last one may be incomplete. */
export function readRequests(stream: string): ReadRequest[] {
  const requests: ReadRequest[] = []
  for (let at = 0; at < stream.length;) {
    const head = readHead(stream, at)
    if (head === null) {
      requests.push({ ...partial(stream, at), method: '', target: '', version: '' })
      break
    }
    const match = /^(\S+) (\S+) (HTTP\/1\.1)$/.exec(head.startLine)
    if (!match) throw new NotHttp(`request line ${JSON.stringify(head.startLine)}`)
    const message = readBody(stream, at, head, 'request')
    requests.push({ ...message, method: match[1]!, target: match[2]!, version: match[3]! })
    if (!message.complete) break
    at = message.end
  }
  return requests
}

/** All responses of a stream. `methods` are those of the requests, in order; `closed`: the peer has sent its FIN. */
export function readResponses(stream: string, methods: readonly string[], closed: boolean): ReadResponse[] {
  const responses: ReadResponse[] = []
  let answered = 0
  for (let at = 0; at < stream.length;) {
    const head = readHead(stream, at)
    if (head === null) {
      responses.push({ ...partial(stream, at), status: 0 })
      break
    }
    const match = /^HTTP\/1\.1 ([1-5]\d\d) ([\x20-\x7e]*)$/.exec(head.startLine)
    if (!match) throw new NotHttp(`status line ${JSON.stringify(head.startLine)}`)
    const status = Number(match[1])
    const interim = status < 200 && status !== 101
    const bodyless = interim || status === 204 || status === 304 || status === 101 || methods[answered] === 'HEAD'
    const message = bodyless
      ? withoutBody(stream, at, head)
      : readBody(stream, at, head, closed ? 'closed-response' : 'response')
    responses.push({ ...message, status })
    if (!interim) answered++
    if (!message.complete || status === 101) break
    at = message.end
  }
  return responses
}

export function valuesOf(message: ReadMessage, name: string): string[] {
  return message.fields.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value)
}

interface ReadHead {
  readonly startLine: string
  readonly fields: readonly (readonly [string, string])[]
  readonly end: number
}

function readHead(stream: string, at: number): ReadHead | null {
  const end = stream.indexOf('\r\n\r\n', at)
  if (end < 0) return null
  const [startLine = '', ...lines] = stream.slice(at, end).split('\r\n')
  return { startLine, fields: lines.map(readField), end: end + 4 }
}

function readField(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  const name = line.slice(0, colon)
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
  if (colon < 1 || !NAME.test(name) || !VALUE.test(value)) throw new NotHttp(`field line ${JSON.stringify(line)}`)
  return [name, value]
}

function partial(stream: string, at: number): ReadMessage {
  const raw = stream.slice(at)
  return { startLine: '', fields: [], body: '', trailers: [], complete: false, end: stream.length, raw }
}

function withoutBody(stream: string, at: number, head: ReadHead): ReadMessage {
  return { ...head, body: '', trailers: [], complete: true, raw: stream.slice(at, head.end) }
}

function readBody(
  stream: string,
  at: number,
  head: ReadHead,
  kind: 'request' | 'response' | 'closed-response',
): ReadMessage {
  const lengths = head.fields.filter(([name]) => name.toLowerCase() === 'content-length').map(([, value]) => value)
  const codings = head.fields.filter(([name]) => name.toLowerCase() === 'transfer-encoding').map(([, value]) => value)
  if (lengths.length + codings.length > 1) throw new NotHttp('more than one framing field')
  if (codings.length === 1) {
    if (codings[0]!.toLowerCase() !== 'chunked') throw new NotHttp(`coding ${codings[0]}`)
    return readChunked(stream, at, head)
  }
  if (lengths.length === 1) {
    if (!/^\d{1,15}$/.test(lengths[0]!)) throw new NotHttp(`length ${lengths[0]}`)
    const end = head.end + Number(lengths[0])
    const body = stream.slice(head.end, end)
    return {
      ...head,
      body,
      trailers: [],
      complete: end <= stream.length,
      end: Math.min(end, stream.length),
      raw: stream.slice(at, end),
    }
  }
  if (kind === 'request') return withoutBody(stream, at, head)
  const body = stream.slice(head.end)
  return {
    ...head,
    body,
    trailers: [],
    complete: kind === 'closed-response',
    end: stream.length,
    raw: stream.slice(at),
  }
}

function readChunked(stream: string, start: number, head: ReadHead): ReadMessage {
  let at = head.end
  let body = ''
  const unfinished = (): ReadMessage => ({
    ...head,
    body,
    trailers: [],
    complete: false,
    end: stream.length,
    raw: stream.slice(start),
  })
  for (;;) {
    const lineEnd = stream.indexOf('\r\n', at)
    if (lineEnd < 0) return unfinished()
    const line = stream.slice(at, lineEnd)
    if (!/^[\da-fA-F]{1,13}$/.test(line)) throw new NotHttp(`chunk line ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) break
    body += stream.slice(at, at + size)
    if (stream.length < at + size + 2) return unfinished()
    if (stream.slice(at + size, at + size + 2) !== '\r\n') throw new NotHttp('no CRLF after a chunk')
    at += size + 2
  }
  const trailers: (readonly [string, string])[] = []
  for (;;) {
    const lineEnd = stream.indexOf('\r\n', at)
    if (lineEnd < 0) return unfinished()
    const line = stream.slice(at, lineEnd)
    at = lineEnd + 2
    if (line === '') return { ...head, body, trailers, complete: true, end: at, raw: stream.slice(start, at) }
    trailers.push(readField(line))
  }
}
