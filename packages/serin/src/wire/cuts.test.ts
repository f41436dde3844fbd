/**
 * What is decided does not depend on how the octets arrive: every message of conformance/http.jsonl, cut in two at every
 * offset, and octet by octet, through the parsers themselves. (The whole worker runs a sample: test/http-cases.test.ts.)
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { BodyReader } from './body-reader.ts'
import { DATA, END, MORE } from './chunked.ts'
import { requestFraming, responseFraming, UNFRAMED } from './framing.ts'
import { Head, NEED_MORE, parseRequestHead, parseResponseHead, REFUSED } from './head.ts'
import { DEFAULT_LIMITS } from './limits.ts'

interface Case {
  readonly id: string
  readonly side: 'request' | 'response'
  readonly raw: string
  readonly expand?: unknown
}

const file = new URL('../../../../../conformance/http.jsonl', import.meta.url)
const cases = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case)
  .filter((one) => one.expand === undefined)

const head = new Head(DEFAULT_LIMITS.fieldsMax)

/** What was seen, as one text. Heads and bodies only: the connection above decides what follows an error. */
class Reader {
  seen = ''
  private pending = Buffer.alloc(0)
  private readonly side: Case['side']
  private readonly body = new BodyReader()
  private state: 'head' | 'body' | 'refused' = 'head'

  constructor(side: Case['side']) {
    this.side = side
  }

  feed(octets: Buffer): void {
    this.pending = Buffer.concat([this.pending, octets])
    while (this.state !== 'refused') {
      const before = this.pending.length
      const state = this.state
      if (state === 'head') this.readHead()
      else this.readBody()
      if (this.pending.length === before && this.state === state) return
    }
  }

  private readHead(): void {
    if (this.pending.length === 0) return
    const parse = this.side === 'request' ? parseRequestHead : parseResponseHead
    const after = parse(head, this.pending, 0, this.pending.length, DEFAULT_LIMITS)
    if (after === NEED_MORE) return
    const framing =
      after === REFUSED ? UNFRAMED : this.side === 'request' ? requestFraming(head) : responseFraming(head, false)
    if (framing === UNFRAMED) {
      this.refuse(head.fault?.code ?? '?')
      return
    }
    this.seen += `[head ${head.fieldCount} fields, ${framing}]`
    this.body.begin(framing)
    this.state = this.body.ended ? 'head' : 'body'
    this.pending = this.pending.subarray(after)
  }

  private readBody(): void {
    const outcome = this.body.next(this.pending, 0, this.pending.length, DEFAULT_LIMITS)
    if (outcome === DATA) this.seen += this.pending.toString('latin1', this.body.dataStart, this.body.dataEnd)
    else if (outcome !== MORE && outcome !== END) {
      this.refuse(`body ${outcome}`)
      return
    }
    this.pending = this.pending.subarray(this.body.position)
    if (!this.body.ended) return
    this.seen += '[end]'
    this.state = 'head'
  }

  private refuse(why: string): void {
    this.seen += `[refused: ${why}]`
    this.state = 'refused'
  }
}

test('every message means the same however it is cut', () => {
  let inputs = 0
  for (const one of cases) {
    const octets = Buffer.from(one.raw, 'latin1')
    const whole = new Reader(one.side)
    whole.feed(octets)
    const each = new Reader(one.side)
    for (const octet of octets) each.feed(Buffer.of(octet))
    assert.equal(each.seen, whole.seen, `${one.id} octet by octet`)
    for (let cut = 1; cut < octets.length; cut++) {
      const two = new Reader(one.side)
      two.feed(octets.subarray(0, cut))
      two.feed(octets.subarray(cut))
      assert.equal(two.seen, whole.seen, `${one.id} cut at ${cut}`)
      inputs++
    }
  }
  assert.ok(inputs > 10_000, `${inputs} inputs`)
})
