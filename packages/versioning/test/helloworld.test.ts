/** `examples/helloworld/app` as a pod runs it. */

import { deepEqual, equal, match } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

/** Of 20 ms each; only a program that hangs needs them all. */
const attemptsMax = 1000
const directory = join(import.meta.dirname, '../../../../examples/helloworld/app')

async function start(environment: Readonly<Record<string, string>>): Promise<{ child: ChildProcess; port: number }> {
  const env = { ...process.env, HOST: '127.0.0.1', PORT: '0', POD_NAME: 'pod-1', ...environment }
  const child = spawn(process.execPath, ['dist/main.js'], { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [text] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { child, port: Number(/:(\d+)\n/.exec(text.toString())?.[1]) }
}

test('the story: two versions, the latest, health, and who answered', async () => {
  const { child, port } = await start({})
  const answers = {
    '/v1/': { message: 'Hello World' },
    '/v2/': { message: 'Greetings, Planet!' },
    '/latest/': { message: 'Greetings, Planet!' },
    '/health': { status: 'ok' },
  }
  for (const [path, body] of Object.entries(answers)) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    deepEqual([response.status, response.headers.get('x-served-by'), await response.json()], [200, 'pod-1', body], path)
  }
  equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404)
  child.kill('SIGTERM')
  deepEqual(await once(child, 'exit'), [0, null])
})

test('told to stop, it answers the request that is on its way, and leaves with 0', async () => {
  const { child, port } = await start({})
  const socket = connect({ port, host: '127.0.0.1' })
  socket.setEncoding('utf8')
  await once(socket, 'connect')
  socket.write('GET /v1/ HTTP/1.1\r\nhost: x\r\n')
  // The other connection has been answered, so the half request has been seen too.
  await fetch(`http://127.0.0.1:${port}/health`)
  child.kill('SIGTERM')
  const ended = once(child, 'exit')
  await refused(port)
  socket.write('\r\n')
  const [answer] = (await once(socket, 'data')) as [string]
  match(answer, /^HTTP\/1\.1 200 /)
  match(answer, /connection: close/i)
  match(answer, /Hello World/)
  deepEqual(await ended, [0, null])
})

test('STOP=abrupt leaves at once', async () => {
  const { child, port } = await start({ STOP: 'abrupt' })
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write('GET /v1/ HTTP/1.1\r\n')
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  child.kill('SIGTERM')
  deepEqual(await once(child, 'exit'), [0, null])
  await closed
})

/** Waits until nothing listens any more. */
async function refused(port: number): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const socket = connect({ port, host: '127.0.0.1' })
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (!open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
