/**
 * Keeps connections busy: each sends a request, waits for the whole answer, sends the next. One process for a whole comparison:
 * it gets `{ port, path, ms }` and says how many answers came in that time.
 */

import { connect } from 'node:net'

const connectionsMax = 32

function busy({ port, path }, window) {
  const request = `GET ${path} HTTP/1.1\r\nhost: bench\r\nx-api-version: 5\r\n\r\n`
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
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
    window.answers++
    if (window.open) socket.write(request)
    else socket.end()
  })
  return new Promise((resolve) => socket.once('close', resolve))
}

async function run(job) {
  const window = { open: true, answers: 0 }
  const begun = performance.now()
  const done = Array.from({ length: connectionsMax }, () => busy(job, window))
  setTimeout(() => (window.open = false), job.ms)
  await Promise.all(done)
  process.send({ answers: window.answers, ms: performance.now() - begun })
}

process.on('message', (job) => {
  // A failed answer throws in a socket's event and ends this process, which ends the comparison.
  void run(job)
})
process.on('disconnect', () => process.exit(0))
