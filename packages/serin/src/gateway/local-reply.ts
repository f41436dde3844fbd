/** Answers that the gateway gives itself: fixed text, nothing of the request in it (RFC 9110 §15, http-security §1.9). */
import type { Settings } from '../model/settings.ts'
import { octetsOf } from '../wire/octets.ts'
import type { OutBuffer } from '../wire/out-buffer.ts'
import type { CompiledChanges } from './compiled-changes.ts'
import { dateLine } from './date-line.ts'
import { applyChanges, type OperatorValues } from './header-changes.ts'
import { properCase } from './proper-case.ts'
import { statusLine } from './status-lines.ts'

export interface LocalReply {
  readonly status: number
  readonly body: string | Buffer
  readonly contentType?: string
  /** Further lines, each with its CRLF. */
  readonly lines?: string
}

const SERVER = octetsOf('server: ')
const CONTENT_LENGTH = octetsOf('content-length: ')
const CONTENT_TYPE = octetsOf('content-type: ')
const CONNECTION_CLOSE = octetsOf('connection: close\r\n')
const CONNECTION_KEEP_ALIVE = octetsOf('connection: keep-alive\r\n')
const OWN_LINES_BYTES = 1024

export interface ReplyConduct {
  readonly settings: Settings
  readonly keepsAlive: boolean
  readonly http10: boolean
  /** HEAD: the length is told, the body is not sent. */
  readonly toHead: boolean
  /** Of the Mapping, where one was found. */
  readonly changes?: CompiledChanges | null
  readonly answerChanges?: CompiledChanges | null
  readonly values?: OperatorValues
}

function writeChanges(out: OutBuffer, { changes = null, answerChanges = null, values }: ReplyConduct): void {
  if (!values) return
  if (changes !== null) applyChanges(out, changes, values)
  if (answerChanges !== null) applyChanges(out, answerChanges, values)
}

/** Appends the whole answer. */
export function writeLocalReply(out: OutBuffer, reply: LocalReply, conduct: ReplyConduct): void {
  const { settings, keepsAlive, http10, toHead } = conduct
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
  out.reserve(body.length + (reply.lines?.length ?? 0) + settings.serverName.length + OWN_LINES_BYTES)
  const start = out.position
  out.octets(statusLine(reply.status))
  if (body.length > 0) {
    out.octets(CONTENT_TYPE)
    out.value(reply.contentType ?? 'text/plain')
    out.crlf()
  }
  if (reply.status >= 200 && reply.status !== 204 && reply.status !== 304) {
    out.octets(CONTENT_LENGTH)
    out.decimal(body.length)
    out.crlf()
  }
  out.octets(dateLine())
  out.octets(SERVER)
  out.value(settings.serverName)
  out.crlf()
  if (reply.lines !== undefined) out.latin1(reply.lines)
  writeChanges(out, conduct)
  if (!keepsAlive) out.octets(CONNECTION_CLOSE)
  else if (http10) out.octets(CONNECTION_KEEP_ALIVE)
  if (settings.properCase) properCase(out.buffer, start, out.position)
  out.crlf()
  if (!toHead) out.octets(body)
}
