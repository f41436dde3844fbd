import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import type { AccessEntry } from './access-entry.ts'
import { OutBuffer } from '../wire/out-buffer.ts'
import {
  AccessFormatError,
  compileJsonFormat,
  compileTextFormat,
  type FormatAccess,
  OPERATOR_NAMES,
} from './access-format.ts'
import { AccessLog } from './access-log.ts'
import { CELL } from './cells.ts'
import { FLAG } from './flags.ts'
import { boundLogFile } from './log-file.ts'
import { Registry } from './registry.ts'

const headers: Record<string, string> = {
  'user-agent': 'curl/8 "quoted"',
  'x-forwarded-for': '10.0.0.1',
  'x-request-id': 'id-1',
  'grpc-status': '0',
}

const entry: AccessEntry = {
  startMs: Date.UTC(2026, 10, 25, 14, 5, 9, 7),
  durationMs: 12.9,
  requestMs: 1.2,
  responseMs: 10.5,
  status: 200,
  flags: 0,
  details: 'via_upstream',
  bytesIn: 5,
  bytesOut: 25,
  method: 'GET',
  path: '/helloworld/?a=%20',
  upstreamPath: '/v2/?a=%20',
  protocol: 'HTTP/1.1',
  authority: 'example.com',
  upstreamServiceMs: 9.7,
  upstreamHost: '127.0.0.1:9001',
  upstreamCluster: 'helloworld_8000',
  upstreamLocalAddress: undefined,
  upstreamFailure: undefined,
  upstreamAttempts: 1,
  downstreamRemoteAddress: '[::1]:5000',
  downstreamDirectAddress: '127.0.0.1:5000',
  downstreamLocalAddress: '127.0.0.1:8080',
  requestedServerName: undefined,
  connectionId: 7,
  mapping: 'default/hello-v2',
  version: 'v2',
  writeRequestHeader: ({ text }, out) => {
    const value = headers[text]
    if (value === undefined) return false
    out.latin1(value)
    return true
  },
  responseHeader: (name) => (name === 'server' ? 'caf\u00c3\u00a9' : undefined),
}

function line(format: FormatAccess, more: Partial<AccessEntry> = {}): string {
  const out = new OutBuffer(1)
  format({ ...entry, ...more }, out)
  return out.buffer.toString('latin1', 0, out.position)
}

const text = (format?: string, more: Partial<AccessEntry> = {}): string =>
  line(compileTextFormat(format), more).trimEnd()

test('the default line is Emissary’s', () => {
  assert.equal(
    text(),
    'ACCESS [2026-11-25T14:05:09.007Z] "GET /helloworld/?a=%20 HTTP/1.1" 200 - 5 25 12 9 "10.0.0.1" "curl/8 "quoted"" "id-1" "example.com" "127.0.0.1:9001"',
  )
})

test('what is missing is a dash in text and null in JSON; numbers stay numbers', () => {
  const nothing = { status: 0, flags: FLAG.DC | FLAG.UF, upstreamHost: undefined, upstreamServiceMs: -1, durationMs: 3 }
  assert.equal(
    text(
      '%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_HOST% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% %REQ(X-NONE)%',
      nothing,
    ),
    '0 UF,DC - - -',
  )
  const json = line(compileJsonFormat(), nothing)
  assert.ok(json.endsWith('}\n'))
  const fields = JSON.parse(json) as Record<string, unknown>
  assert.equal(fields['response_code'], 0)
  assert.equal(fields['upstream_host'], null)
  assert.equal(fields['duration'], 3)
  assert.equal(fields['user_agent'], 'curl/8 "quoted"')
  assert.equal(fields['version'], 'v2')
})

test('operators take alternatives, lengths, time formats, and %% is a percent sign', () => {
  assert.equal(text('%REQ(X-NONE?USER-AGENT):4%|%REQ(:PATH)%|100%%'), 'curl|/v2/?a=%20|100%')
  assert.equal(text('%START_TIME(%Y/%m/%dT%H:%M:%S%z %s %6f)%'), '2026/11/25T14:05:09+0000 1795615509 007000')
  assert.equal(text('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%'), '::1 8080')
  assert.equal(
    text('%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %GRPC_STATUS%', { responseHeader: (name) => headers[name] }),
    '10 2 0',
  )
})

test('a format says which headers of the response it needs', () => {
  const format = compileTextFormat(
    '%RESP(Content-Type?X-Kind)% %GRPC_STATUS% %REQ(X-A)% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  )
  assert.deepEqual(
    format.responseHeaders.map((name) => name.text),
    ['content-type', 'x-kind', 'grpc-status'],
  )
  assert.deepEqual(compileJsonFormat().responseHeaders, [])
})

test('octets above ASCII pass through text unchanged, and are escaped in JSON', () => {
  assert.equal(Buffer.from(text('é %RESP(SERVER)%'), 'latin1').toString('utf8'), 'é café')
  const json = line(compileJsonFormat({ server: '%RESP(SERVER)%', both: '<%RESP(SERVER)%>' }))
  // oxlint-disable-next-line no-control-regex
  assert.match(json, /^[\x20-\x7e\n]+$/)
  assert.deepEqual(JSON.parse(json), { server: 'caf\u00c3\u00a9', both: '<caf\u00c3\u00a9>' })
})

test('a format that is wrong says where', () => {
  const problem = (format: string, column: number, message: RegExp): void => {
    assert.throws(
      () => compileTextFormat(format),
      (error) => error instanceof AccessFormatError && error.column === column && message.test(error.message),
    )
  }
  problem('a %PROTCOL% b', 2, /unknown operator %PROTCOL%/)
  problem('50% of', 2, /%%/)
  problem('%REQ%', 0, /needs an argument/)
})

function directory(): { path: string; [Symbol.dispose]: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'serin-log-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('lines are appended in order, also over a rotation', async () => {
  const { path, [Symbol.dispose]: remove } = directory()
  const file = join(path, 'access.log')
  const meter = new Registry().worker(0)
  const log = new AccessLog({ to: file, format: compileTextFormat('%CONNECTION_ID%'), meter })
  for (let connectionId = 0; connectionId < 10_000; connectionId++) {
    log.write({ ...entry, connectionId })
    if (connectionId === 5_000) {
      renameSync(file, `${file}.1`)
      log.reopen()
    }
  }
  await log.close()
  const lines = (readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8')).trim().split('\n')
  assert.equal(lines.length, 10_000)
  assert.ok(lines.every((line, index) => Number(line) === index))
  assert.equal(meter.cells[CELL.logLines], 10_000)
  remove()
})

test('a sink that takes nothing costs a bounded amount, and what is lost is counted', async () => {
  // A pipe that nobody reads, written without blocking.
  const { path, [Symbol.dispose]: remove } = directory()
  spawnSync('mkfifo', [join(path, 'pipe')])
  const pipe = openSync(join(path, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK)
  const meter = new Registry().worker(0)
  const log = new AccessLog({ to: pipe, format: compileTextFormat(), meter })
  for (let line = 0; line < 50_000; line++) log.write(entry)
  await log.close()
  closeSync(pipe)
  remove()
  assert.ok(meter.cells[CELL.logLinesDropped]! > 40_000)
  assert.equal(meter.cells[CELL.logLinesDropped]! + meter.cells[CELL.logLines]!, 50_000)
})

test('a file that grew beyond its bound is put aside, and lines go on in a new one', async () => {
  const { path, [Symbol.dispose]: remove } = directory()
  const file = join(path, 'access.log')
  const log = new AccessLog({ to: file, format: compileTextFormat('%CONNECTION_ID%'), meter: new Registry().worker(0) })
  const rotated = new Promise<void>((resolve) => {
    const stop = boundLogFile({
      path: file,
      bytesMax: 1_000,
      reopen: () => {
        stop()
        log.reopen()
        resolve()
      },
    })
  })
  // The bound's own timer keeps no process alive; this one does.
  const writing = setInterval(() => log.write({ ...entry, connectionId: 1_234_567 }), 1)
  await rotated
  log.write({ ...entry, connectionId: 7 })
  clearInterval(writing)
  await log.close()
  assert.ok(readFileSync(`${file}.1`, 'utf8').length > 1_000)
  assert.match(readFileSync(file, 'utf8'), /7\n$/)
  remove()
})

test('the reference page lists every operator, and none that does not exist', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../../../docs/reference/access-log.md'), 'utf8')
  const listed = [...page.split('## Operators\n')[1]!.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
  assert.deepEqual(listed.toSorted(), OPERATOR_NAMES.toSorted())
})
