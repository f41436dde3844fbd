/**
 * The parsers alone, millions of inputs: nothing is thrown, what is decided does not depend on the cuts, and what is accepted
 * means the same to another strict reader.
 */
import assert from 'node:assert/strict'
import { BodyReader } from '../../src/wire/body-reader.ts'
import { DATA, END, MORE } from '../../src/wire/chunked.ts'
import { connectionOptions } from '../../src/wire/connection-options.ts'
import { requestFraming, responseFraming, UNFRAMED } from '../../src/wire/framing.ts'
import { Head, NEED_MORE, parseRequestHead, parseResponseHead, REFUSED } from '../../src/wire/head.ts'
import { DEFAULT_LIMITS } from '../../src/wire/limits.ts'
import { readRequests } from '../support/http-reader.ts'
import { REQUESTS, RESPONSES } from './corpus.ts'
import { cuts, mutate } from './mutate.ts'
import type { Random } from './random.ts'

const head = new Head(DEFAULT_LIMITS.fieldsMax)

interface Seen {
  /** Everything that was decided, as one text. */
  text: string
  /** Requests in canonical form, for the other reader. */
  canonical: string
}

/** One input: as a request and as a response, whole and cut. */
export function tryParsers(random: Random): void {
  const request = mutate(random, random.pick(REQUESTS), REQUESTS)
  const whole = read('request', request, [])
  const offsets = cuts(random, request.length)
  assert.equal(read('request', request, offsets).text, whole.text, `cut at ${offsets.join()}`)
  // Throws if it is not HTTP to another reader.
  const again = readRequests(whole.canonical)
  assert.equal(again.length, whole.canonical === '' ? 0 : (whole.text.match(/\[end\]/g) ?? []).length)

  const response = mutate(random, random.pick(RESPONSES), RESPONSES)
  assert.equal(read('response', response, cuts(random, response.length)).text, read('response', response, []).text)
}

function read(side: 'request' | 'response', raw: string, offsets: readonly number[]): Seen {
  const octets = Buffer.from(raw, 'latin1')
  const seen: Seen = { text: '', canonical: '' }
  const body = new BodyReader()
  const at: { state: 'head' | 'body' | 'refused' } = { state: 'head' }
  let pending = Buffer.alloc(0)
  let start = ''
  let content = ''
  let from = 0
  for (const offset of [...offsets, octets.length]) {
    pending = Buffer.concat([pending, octets.subarray(from, offset)])
    from = offset
    for (let before = -1; pending.length !== before && at.state !== 'refused';) {
      before = at.state === 'body' && body.ended ? -1 : pending.length
      if (at.state === 'head') readHead()
      else readBody()
    }
  }
  return seen

  function readHead(): void {
    if (pending.length === 0) return
    const parse = side === 'request' ? parseRequestHead : parseResponseHead
    const after = parse(head, pending, 0, pending.length, DEFAULT_LIMITS)
    if (after === NEED_MORE) return
    const framing =
      after === REFUSED ? UNFRAMED : side === 'request' ? requestFraming(head) : responseFraming(head, false)
    if (framing === UNFRAMED) {
      seen.text += `[refused ${head.fault?.code}]`
      at.state = 'refused'
      return
    }
    seen.text += `[${head.fieldCount} ${framing} ${connectionOptions(head, DEFAULT_LIMITS.connectionOptionsMax)}]`
    start = canonicalStart()
    content = ''
    body.begin(framing)
    pending = pending.subarray(after)
    at.state = 'body'
    if (body.ended) ended()
  }

  function canonicalStart(): string {
    if (side === 'response') return ''
    const fields = Array.from({ length: head.fieldCount }, (_, index) => index)
      .filter((index) => !/^(?:content-length|transfer-encoding)$/i.test(nameOf(index)))
      .map((index) => `${nameOf(index)}: ${head.value(index)}\r\n`)
    const target = pending.toString('latin1', head.targetStart, head.targetEnd)
    return `${pending.toString('latin1', head.methodStart, head.methodEnd)} ${target} HTTP/1.1\r\n${fields.join('')}`
  }

  function nameOf(index: number): string {
    return head.buffer.toString('latin1', head.nameStart(index), head.nameEnd(index))
  }

  function readBody(): void {
    const outcome = body.next(pending, 0, pending.length, DEFAULT_LIMITS)
    if (outcome === DATA) content += pending.toString('latin1', body.dataStart, body.dataEnd)
    else if (outcome !== MORE && outcome !== END) {
      seen.text += `${content}[broken ${outcome}]`
      at.state = 'refused'
      return
    }
    pending = pending.subarray(body.position)
    if (body.ended) ended()
  }

  function ended(): void {
    seen.text += `${content}[end]`
    if (side === 'request') seen.canonical += `${start}content-length: ${content.length}\r\n\r\n${content}`
    at.state = 'head'
  }
}
