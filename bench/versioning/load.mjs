/** Keeps connections busy: each sends a request, waits for the whole answer, sends the next. `node load.mjs PORT PATH MS`; prints how many answers came. */

import { connect } from 'node:net'

const connectionsMax = 32
const [port, path, lasting] = process.argv.slice(2)
const request = `GET ${path} HTTP/1.1\r\nhost: bench\r\nx-api-version: 5\r\n\r\n`

let answers = 0
let running = true

function busy() {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
  let received = ''
  socket.setEncoding('latin1')
  socket.on('connect', () => socket.write(request))
  socket.on('data', (text) => {
    received += text
    const head = received.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1])
    if (received.length < head + 4 + length) return
    if (!received.startsWith('HTTP/1.1 200')) throw new Error(received.slice(0, 200))
    received = ''
    answers++
    if (running) socket.write(request)
    else socket.destroy()
  })
}

for (let index = 0; index < connectionsMax; index++) busy()
setTimeout(() => {
  running = false
  process.stdout.write(String(answers))
  process.exit(0)
}, Number(lasting))
