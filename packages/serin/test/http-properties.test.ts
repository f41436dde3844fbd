/** A bounded run of the fuzzers (test/fuzz runs for as long as told), and properties of the framing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChunkedDecoder, DATA, END, MORE } from '../src/wire/chunked.ts'
import { DEFAULT_LIMITS } from '../src/wire/limits.ts'
import { tryParsers } from './fuzz/parsers.ts'
import { Random } from './fuzz/random.ts'
import { startWorkerFuzz } from './fuzz/worker.ts'

const PARSER_INPUTS = 20_000
const HOSTILE_PEERS = 120

test(`${PARSER_INPUTS} mutated messages through the parsers, whole and cut`, () => {
  for (let seed = 1; seed <= PARSER_INPUTS; seed++) tryParsers(new Random(seed))
})

test(`${HOSTILE_PEERS} hostile peers: nothing is smuggled, nobody gets another's answer, the worker lives`, async () => {
  const fuzz = await startWorkerFuzz()
  for (let seed = 1; seed <= HOSTILE_PEERS; seed++) {
    // oxlint-disable-next-line no-await-in-loop
    await fuzz.once(new Random(seed))
  }
  const { requests } = await fuzz.check()
  assert.ok(requests > HOSTILE_PEERS)
  await fuzz.end()
})

/** Sizes in hex of either case, with leading zeros and extensions, as senders write them. */
const chunk = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  zeros: fc.nat(3),
  upper: fc.boolean(),
  extension: fc.constantFrom('', ';a', ';a=b', ';a="b;\\"c"', ';a=b;c'),
})

test('whatever is encoded in chunks is decoded, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 8 }),
      fc.array(fc.nat(400), { maxLength: 6 }),
      fc.constantFrom('', 'X-T: 1\r\n'),
      (chunks, offsets, trailer) => {
        const parts: Buffer[] = []
        for (const { data, zeros, upper, extension } of chunks) {
          const size = '0'.repeat(zeros) + data.length.toString(16)
          parts.push(
            Buffer.from(`${upper ? size.toUpperCase() : size}${extension}\r\n`),
            Buffer.from(data),
            Buffer.from('\r\n'),
          )
        }
        parts.push(Buffer.from(`0\r\n${trailer}\r\nNEXT`))
        const encoded = Buffer.concat(parts)
        const decoder = new ChunkedDecoder()
        const decoded: Buffer[] = []
        let end = -1
        let from = 0
        for (const offset of [...offsets.filter((at) => at < encoded.length).sort((a, b) => a - b), encoded.length]) {
          const piece = encoded.subarray(from, offset)
          for (let at = 0; at < piece.length && end < 0;) {
            const outcome = decoder.next(piece, at, piece.length, DEFAULT_LIMITS)
            assert.ok(outcome === DATA || outcome === MORE || outcome === END, `outcome ${outcome}`)
            if (outcome === DATA) decoded.push(Buffer.from(piece.subarray(decoder.dataStart, decoder.dataEnd)))
            if (outcome === END) end = from + decoder.position
            at = decoder.position
          }
          from = offset
        }
        assert.deepEqual(Buffer.concat(decoded), Buffer.concat(chunks.map(({ data }) => Buffer.from(data))))
        assert.equal(encoded.toString('latin1', end), 'NEXT')
      },
    ),
  )
})
