import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { claim, dataDirectory, type ProcessRecord, readAlive, release } from './data-directory.ts'
import { myself } from './store/process-identity.ts'

const directory = mkdtempSync(join(tmpdir(), 'serin-data-'))
after(() => rmSync(directory, { recursive: true, force: true }))

test('a claim holds until it is released', () => {
  const file = join(directory, 'a.json')
  assert.equal(claim<ProcessRecord>(file, { version: '1' }), undefined)
  assert.equal(readAlive<ProcessRecord>(file)?.pid, process.pid)
  assert.equal(claim<ProcessRecord>(file, { version: '2' })?.version, '1')
  release(file)
  assert.ok(!existsSync(file))
})

test('a claim of a process that is gone, or whose pid has another start, or that is torn, is taken over', () => {
  for (const text of [
    JSON.stringify({ pid: 2 ** 22 - 1, started: 'x', version: '1' }),
    JSON.stringify({ ...myself(), started: 'another boot', version: '1' }),
    '{"pid":',
  ]) {
    const file = join(directory, 'b.json')
    writeFileSync(file, text)
    assert.equal(readAlive(file), undefined)
    assert.equal(claim<ProcessRecord>(file, { version: '2' }), undefined)
    release(file)
  }
})

test('a socket path is never too long for the system', () => {
  assert.equal(dataDirectory('/x/data').gatewaySocket, '/x/data/gateway.sock')
  const long = dataDirectory(`/${'a'.repeat(120)}`).gatewaySocket
  assert.ok(Buffer.byteLength(long) <= 100, long)
  assert.notEqual(long, dataDirectory(`/${'b'.repeat(120)}`).gatewaySocket)
})
