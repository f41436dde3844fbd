import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import tls from 'node:tls'
import fc from 'fast-check'
import { HELLO_BYTES_MAX, readClientHello } from './client-hello.ts'

/** What Node's own client sends first. */
function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => resolve(chunk),
    })
    tls.connect({ socket: wire, ...options }).on('error', () => undefined)
  })
}

test('a hello names the server and the protocols, wherever it is cut', async () => {
  const hello = await helloOf({ servername: 'A.Example.com', ALPNProtocols: ['h2', 'http/1.1'] })
  const whole = readClientHello(hello)
  assert.deepEqual(whole, { kind: 'hello', serverName: 'a.example.com', protocols: ['h2', 'http/1.1'] })
  for (let at = 0; at < hello.length; at++) assert.equal(readClientHello(hello.subarray(0, at)).kind, 'incomplete')
})

test('a hello spread over two records is one', async () => {
  const hello = await helloOf({ servername: 'a.test' })
  const payload = hello.subarray(5, 5 + hello.readUInt16BE(3))
  const record = (part: Buffer): Buffer =>
    Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part])
  const cut = Buffer.concat([record(payload.subarray(0, 50)), record(payload.subarray(50))])
  assert.deepEqual(readClientHello(cut), { kind: 'hello', serverName: 'a.test', protocols: [] })
})

test('HTTP in cleartext is something else', () => {
  assert.equal(readClientHello(Buffer.from('GET / HTTP/1.1\r\n')).kind, 'other')
  assert.equal(readClientHello(Buffer.from([22, 9])).kind, 'other')
  assert.equal(readClientHello(Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])).kind, 'other')
})

test('no octets make it throw or wait for ever', () => {
  const tail = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(tail, (octets) => {
      readClientHello(Buffer.from(octets))
      readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 100]), octets]))
    }),
  )
  const empty = Buffer.alloc(HELLO_BYTES_MAX * 5, Buffer.from([22, 3, 1, 0, 0]))
  assert.equal(readClientHello(empty).kind, 'other')
})
