/** The routes of the shop. */

// For the types of `summary` and `tags`.
import type {} from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { item, newItem, notFound, type Item, type NewItem } from './schemas.ts'

const shelf = new Map<string, Item>([
  [
    '1',
    {
      id: '1',
      name: 'pen',
      stores: [
        { store: 'main', quantity: 3 },
        { store: 'airport', quantity: 2 },
      ],
    },
  ],
])

const params = { type: 'object', properties: { id: { type: 'string' } } } as const

export function items(api: FastifyInstance): void {
  const tags = ['items']

  api.get(
    '/items/:id',
    { schema: { summary: 'One item', tags, params, response: { 200: item, 404: notFound } } },
    (request, reply) => {
      const { id } = request.params as { id: string }
      return shelf.get(id) ?? reply.code(404).send({ message: `there is no item ${id}` })
    },
  )

  api.post(
    '/items',
    { schema: { summary: 'A new item', tags, body: newItem, response: { 201: item } } },
    (request, reply) => {
      const added = { ...(request.body as NewItem), id: String(shelf.size + 1) }
      shelf.set(added.id, added)
      return reply.code(201).send(added)
    },
  )

  // Only version 1 had a search; version 2 does without.
  api.get('/search', { version: { from: 1, until: 2 }, schema: { summary: 'Find items by name', tags } }, (request) => {
    const { q = '' } = request.query as { q?: string }
    return [...shelf.values()].filter(({ name }) => name.includes(q))
  })

  // What version 3 is going to bring.
  api.delete(
    '/items/:id',
    { version: '3-beta', schema: { summary: 'Take an item off the shelf', tags, params } },
    (request, reply) => {
      shelf.delete((request.params as { id: string }).id)
      return reply.code(204).send()
    },
  )
}
