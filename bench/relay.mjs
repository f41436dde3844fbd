/**
 * Octets from one socket to another and back, with nothing between: one connection upstream for each from a client.
 * Arguments: port, upstream port, `net` (Node's sockets) or `handle` (libuv's handles below them, as the gateway).
 */
import { connect, createServer } from 'node:net'

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number)
const READ_BYTES = 65_536
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

function relayNet() {
  createServer({ noDelay: true }, (client) => {
    const onread = {
      buffer: shared,
      callback: (length, buffer) => client.write(Buffer.from(buffer.subarray(0, length))),
    }
    const upstream = connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true, onread })
    client.on('data', (octets) => upstream.write(octets))
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  }).listen({ port, host: '127.0.0.1', backlog: 4_096 })
}

function relayHandles() {
  const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap')
  const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = process.binding('stream_wrap')
  const spare = new WriteWrap()
  function onread() {
    const length = streamBaseState[kReadBytesOrError]
    if (length < 0) {
      this.other.close()
      this.close()
      return
    }
    const octets = shared.subarray(0, length)
    this.other.writeBuffer(spare, octets)
    if (streamBaseState[kLastWriteWasAsync] === 0) return
    // The kernel takes the rest later, from memory that the next read would overwrite.
    console.error('a write had to wait: this relay is for small messages')
    process.exit(1)
  }
  function ready(handle, other) {
    handle.other = other
    handle.onread = onread
    handle.setNoDelay(true)
    handle.useUserBuffer(shared)
    handle.readStart()
  }
  const server = new TCP(constants.SERVER)
  server.onconnection = (_status, client) => {
    const upstream = new TCP(constants.SOCKET)
    const request = new TCPConnectWrap()
    request.oncomplete = () => {
      ready(client, upstream)
      ready(upstream, client)
    }
    upstream.connect(request, '127.0.0.1', upstreamPort)
  }
  server.bind('127.0.0.1', port)
  server.listen(4_096)
}

if (process.argv[4] === 'handle') relayHandles()
else relayNet()
