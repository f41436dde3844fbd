/** Classes with standard decorators, compiled by `tsc`. */

import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify'
import { Controller, Delete, Get, Post, registerControllers, Version } from '../src/decorators/index.ts'
import { VersioningError, versioned } from '../src/index.ts'

class Greeter {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  @Version(1)
  @Get('/')
  hello(): object {
    return { message: `Hello ${this.#name}` }
  }

  @Get('/')
  @Version(2)
  greet(request: FastifyRequest): object {
    return { message: `Greetings, ${this.#name}!`, version: request.apiVersion }
  }
}

@Controller('/items')
@Version({ from: 1, until: 3 })
class Items {
  @Get('/')
  @Get('/all')
  list(): object {
    return []
  }

  @Version(2)
  @Post('/', { schema: { body: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } } })
  create(request: FastifyRequest, reply: FastifyReply): object {
    reply.code(201)
    return request.body as object
  }
}

class MoreItems extends Items {
  @Version(3)
  @Delete('/:id')
  remove(request: FastifyRequest<{ Params: { id: string } }>): object {
    return { removed: request.params.id }
  }
}

test('methods of controllers are routes, with `this`, options, prefix and version', async () => {
  const app = fastify()
  app.register(versioned((api) => registerControllers(api, new Greeter('Ada'), new Items())))
  const get = async (url: string): Promise<unknown> => (await app.inject(url)).json()
  deepEqual(await get('/v1/'), { message: 'Hello Ada' })
  deepEqual(await get('/v2/'), { message: 'Greetings, Ada!', version: '2' })
  deepEqual(await get('/v1/items'), [])
  deepEqual(await get('/v2/items/all'), [])
  const created = await app.inject({ method: 'POST', url: '/v2/items', payload: { name: 'pen' } })
  deepEqual([created.statusCode, created.json()], [201, { name: 'pen' }])
  equal((await app.inject({ method: 'POST', url: '/v2/items', payload: {} })).statusCode, 400)
  equal((await app.inject({ method: 'POST', url: '/v1/items', payload: { name: 'pen' } })).statusCode, 404)
  await app.close()
})

test('a subclass inherits the routes of its base class', async () => {
  const app = fastify()
  app.register(versioned((api) => registerControllers(api, new MoreItems()), { default: 1 }))
  deepEqual((await app.inject({ method: 'DELETE', url: '/v3/7' })).json(), { removed: '7' })
  equal((await app.inject('/v1/all')).statusCode, 200)
  await app.close()
})

test('a mistake is shown where the decorator stands', async () => {
  class Twice {
    @Version(1)
    @Get('/a/:x')
    one(): object {
      return {}
    }

    @Version(1)
    @Get('/a/:y')
    two(): object {
      return {}
    }
  }
  const app = fastify()
  app.register(versioned((api) => registerControllers(api, new Twice())))
  await rejects(
    async () => app.ready(),
    (error: unknown) => {
      equal((error as VersioningError).diagnostics[0]?.code, 'duplicate-route')
      match((error as VersioningError).message, /decorators\.test/)
      return true
    },
  )
  await app.close()
})

test('a class without routes, and a version without a route, are refused', () => {
  class Empty {}
  class Half {
    @Version(1)
    nothing(): void {}
  }
  throws(() => registerControllers({} as never, new Empty()), /Empty has no method with a route decorator/)
  throws(() => registerControllers({} as never, new Half()), /Half\.nothing has @Version but no route/)
})
