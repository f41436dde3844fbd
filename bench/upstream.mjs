/**
 * The service behind every proxy: answers on raw sockets, as cheaply as it can, so that it is never the bottleneck.
 * `GET` gets 25 octets, and others below `/v2/`; `/v1/16k`, `/v1/1m` get that many, `?chunked` in chunks; request bodies are read and thrown away.
 * Run with a port on the command line; prints `listening` when it does.
 */
import { createServer } from 'node:net'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
const CHUNK = 16_384

function withLength(body) {
  return Buffer.concat([Buffer.from(`${HEAD}Content-Length: ${body.length}\r\n\r\n`), body])
}

function chunked(body) {
  const parts = [Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`)]
  for (let at = 0; at < body.length; at += CHUNK) {
    const chunk = body.subarray(at, at + CHUNK)
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

const SMALL = withLength(Buffer.from('{"message":"Hello World"}'))
const SECOND = withLength(Buffer.from('{"message":"Greetings, Planet!"}'))
const BODIES = new Map(
  [
    ['16k', 16_384],
    ['1m', 1_048_576],
  ].flatMap(([name, size]) => [
    [name, withLength(Buffer.alloc(size, 'x'))],
    [`${name}?chunked`, chunked(Buffer.alloc(size, 'x'))],
  ]),
)

/** What the request line asks for. */
function answerTo(line) {
  const target = line.slice(line.indexOf(' ') + 1, line.lastIndexOf(' '))
  return BODIES.get(target.slice(target.lastIndexOf('/') + 1)) ?? (target.startsWith('/v2/') ? SECOND : SMALL)
}

class Connection {
  constructor(socket) {
    this.socket = socket
    this.held = undefined
    this.bodyLeft = 0
    this.chunkedTail = undefined
    this.answer = SMALL
  }

  take(octets) {
    let data = this.held ? Buffer.concat([this.held, octets]) : octets
    this.held = undefined
    while (data && data.length > 0) data = this.inBody() ? this.body(data) : this.head(data)
  }

  inBody() {
    return this.bodyLeft > 0 || this.chunkedTail !== undefined
  }

  /** Takes one head; gives what follows it, or undefined when it is not whole yet. */
  head(data) {
    const end = data.indexOf('\r\n\r\n')
    if (end === -1) {
      this.held = Buffer.from(data)
      return undefined
    }
    this.answer = data[0] === 0x47 ? answerTo(data.latin1Slice(0, data.indexOf(13))) : SMALL
    if (data[0] !== 0x47) this.expectBody(data.latin1Slice(0, end).toLowerCase())
    if (!this.inBody()) this.socket.write(this.answer)
    return data.length > end + 4 ? data.subarray(end + 4) : undefined
  }

  expectBody(head) {
    const length = /\r\ncontent-length: *(\d+)/.exec(head)
    if (length) this.bodyLeft = Number(length[1])
    else if (/\r\ntransfer-encoding: *chunked/.test(head)) this.chunkedTail = ''
  }

  body(data) {
    if (this.chunkedTail !== undefined) return this.chunkedBody(data)
    if (data.length < this.bodyLeft) {
      this.bodyLeft -= data.length
      return undefined
    }
    const rest = data.subarray(this.bodyLeft)
    this.bodyLeft = 0
    this.socket.write(this.answer)
    return rest
  }

  /** Good enough for our own load, which never has the last chunk's octets within a body nor two requests in one packet. */
  chunkedBody(data) {
    this.chunkedTail = (this.chunkedTail + data.latin1Slice(Math.max(0, data.length - 7))).slice(-7)
    if (this.chunkedTail !== '\r\n0\r\n\r\n') return undefined
    this.chunkedTail = undefined
    this.socket.write(this.answer)
    return undefined
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const connection = new Connection(socket)
  socket.on('data', (octets) => connection.take(octets))
  socket.on('error', () => socket.destroy())
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4_096 }, () => console.log('listening'))
