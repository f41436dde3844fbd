/** Opens connections to a port, one request on each, and keeps them: arguments port, path, count. Prints a line with how many stay open, then waits to be ended. */
import { connect } from 'node:net'

const [, , port, path, count] = process.argv
const AT_ONCE = 200

let open = 0
let failed = 0
let started = 0

function next() {
  if (started >= Number(count)) return
  started++
  const socket = connect({ port: Number(port), host: '127.0.0.1' })
  let answered = false
  socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`))
  socket.on('data', () => {
    if (answered) return
    answered = true
    open++
    settled()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    if (answered) open--
    else failed++
    if (!answered) settled()
  })
}

function settled() {
  if (open + failed >= Number(count)) console.log(JSON.stringify({ open, failed }))
  else next()
}

for (let index = 0; index < AT_ONCE; index++) next()
