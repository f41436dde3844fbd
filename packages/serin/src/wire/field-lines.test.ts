import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { copyLine, endLines } from './field-lines.ts'
import { Head, parseRequestHead } from './head.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { OutBuffer } from './out-buffer.ts'

const line = fc.record({
  name: fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/),
  value: fc.stringMatching(/^([!-~]([ -~]{0,150}[!-~])?)?$/),
  before: fc.constantFrom('', ' ', ' ', ' ', '  ', '\t'),
  after: fc.constantFrom('', '', '', ' ', '\t '),
  copied: fc.constantFrom(true, true, true, false),
})

test('lines are copied as name, colon, space, value, whatever stood around the value, and their values are where it says', () => {
  const head = new Head(DEFAULT_LIMITS.fieldsMax)
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const text = lines.map(({ name, value, before, after }) => `${name}:${before}${value}${after}\r\n`).join('')
      const octets = Buffer.from(`GET / HTTP/1.1\r\n${text}\r\n`, 'latin1')
      assert.equal(parseRequestHead(head, octets, 0, octets.length, DEFAULT_LIMITS), octets.length)
      const out = new OutBuffer(octets.length + 100)
      const starts = lines.map(({ copied }, index) => (copied ? copyLine(out, head, index) : -1))
      endLines(out, head)
      const written = out.buffer.toString('latin1', 0, out.position)
      const kept = lines.filter(({ copied }) => copied)
      assert.equal(written, kept.map(({ name, value }) => `${name}: ${value}\r\n`).join(''))
      lines.forEach(({ value, copied }, index) => {
        if (copied) assert.equal(written.slice(starts[index], starts[index]! + value.length), value)
      })
    }),
    { numRuns: 300 },
  )
})
