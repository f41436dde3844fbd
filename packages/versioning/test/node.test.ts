/** The listener for `node:http`, and the router of `fetch`, with what the other adapters get from their frameworks. */

import { deepEqual, equal, ok } from 'node:assert/strict'
import { createServer, request as httpRequest } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { listener, versioned } from '../src/node/index.ts'

let aborted: Promise<unknown> | undefined

const api = versioned(
  (routes) => {
    routes.post('/echo', { version: 1 }, (request) => new Response(request.body))
    routes.get(
      '/cookies',
      { version: 1 },
      () =>
        new Response('x', {
          headers: [
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
          ],
        }),
    )
    routes.get('/nothing', { version: 1 }, () => undefined)
    routes.get('/boom', { version: 1 }, () => {
      throw new Error('boom')
    })
    routes.get('/slow', { version: 1 }, (request) => {
      aborted = once(request.signal, 'abort')
      const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        controller.enqueue(new Uint8Array(1024))
      }
      return new Response(new ReadableStream({ pull }))
    })
    routes.get('/items/:id', { version: 1 }, (_request, { params }) => params)
    routes.put('/items/:id', { version: 1 }, (_request, { params }) => params)
  },
  { onError: (error) => new Response((error as Error).message, { status: 500 }) },
)

const server = createServer(listener(api))
let origin = ''
before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
})

test('bodies are streamed through, empty answers are 204, cookies stay apart', async () => {
  const body = 'x'.repeat(1_000_000)
  equal(await (await fetch(`${origin}/v1/echo`, { method: 'POST', body })).text(), body)
  equal((await fetch(`${origin}/v1/nothing`)).status, 204)
  deepEqual((await fetch(`${origin}/v1/cookies`)).headers.getSetCookie(), ['a=1', 'b=2'])
  const head = await fetch(`${origin}/v1/items/7`, { method: 'HEAD' })
  deepEqual([head.status, await head.text()], [200, ''])
})

test('wrong methods are 405 with all methods there are, errors go to onError, the rest is 404', async () => {
  const wrong = await fetch(`${origin}/v1/items/7`, { method: 'DELETE' })
  deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, PUT'])
  const boom = await fetch(`${origin}/v1/boom`)
  deepEqual([boom.status, await boom.text()], [500, 'boom'])
  for (const path of ['/', '/v1', '/v1/items', '/v1/items/7/', '/v1/items/%E0%A4%A', '/v2/items/7'])
    equal((await fetch(`${origin}${path}`)).status, 404, path)
})

test('a client that goes away ends the work for it', async () => {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  socket.write('GET /v1/slow HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  await aborted
})

test('a request that is none for fetch is refused, and the server goes on', async () => {
  const refused = httpRequest(`${origin}/v1/items/7`, { method: 'TRACE' }).end()
  const [response] = (await once(refused, 'response')) as [{ statusCode: number; resume: () => void }]
  response.resume()
  equal(response.statusCode, 400)
  equal((await fetch(`${origin}/v1/items/7`)).status, 200)
})

test('no path makes the handler throw', () =>
  fc.assert(
    fc.asyncProperty(fc.webPath(), fc.constantFrom('GET', 'PUT', 'DELETE'), async (path, method) => {
      const { status } = await api.fetch(new Request(`http://localhost/v1${path}`, { method }))
      ok(status < 500)
    }),
    { numRuns: 40 },
  ))
