import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editedHead } from './check.ts'
import { properCase } from './proper-case.ts'

test('a check replaces, adds and removes fields, and never those that frame the message', () => {
  const head = Buffer.from('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-User: mallory\r\nX-Old: 1\r\n\r\n')
  const edited = editedHead(head, {
    kind: 'pass',
    set: [
      ['x-user', 'ann'],
      ['content-length', '0'],
      ['host', 'evil'],
      ['bad name', 'x'],
      ['x-split', 'a\r\nx-evil: 1'],
    ],
    append: [['x-old', '2']],
    remove: ['content-length'],
  })
  assert.equal(
    edited.toString(),
    'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Old: 1\r\nx-user: ann\r\nx-split: a??x-evil: 1\r\nx-old: 2\r\n\r\n',
  )
  assert.equal(editedHead(head, { kind: 'pass' }), head)
})

test('names in proper case, values as they are', () => {
  const head = Buffer.from('HTTP/1.1 200 ok\r\nx-some_header2name: a-b: c\r\nserver: envoy\r\n')
  properCase(head, 0, head.length)
  assert.equal(head.toString(), 'HTTP/1.1 200 ok\r\nX-Some_Header2Name: a-b: c\r\nServer: envoy\r\n')
})
