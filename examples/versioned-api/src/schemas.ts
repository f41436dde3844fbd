/** JSON Schemas of the shop with their types: as they are now, and as they were in version 1. */

export interface Item {
  readonly id: string
  readonly name: string
  readonly stores: readonly { readonly store: string; readonly quantity: number }[]
}

export type NewItem = Omit<Item, 'id'>

export interface ItemWithQuantity {
  readonly id: string
  readonly name: string
  readonly quantity: number
}

const id = { type: 'string', description: 'Given by the shop' } as const
const name = { type: 'string', minLength: 1 } as const
const quantity = { type: 'integer', minimum: 0 } as const
const stores = {
  type: 'array',
  items: { type: 'object', required: ['store', 'quantity'], properties: { store: { type: 'string' }, quantity } },
} as const

export const item: object = {
  type: 'object',
  required: ['id', 'name', 'stores'],
  properties: { id, name, stores },
} as const
export const newItem: object = { type: 'object', required: ['name', 'stores'], properties: { name, stores } } as const

export const itemWithQuantity: object = {
  type: 'object',
  required: ['id', 'name', 'quantity'],
  properties: { id, name, quantity },
} as const
export const newItemWithQuantity: object = {
  type: 'object',
  required: ['name', 'quantity'],
  properties: { name, quantity },
} as const

export const notFound: object = { type: 'object', properties: { message: { type: 'string' } } }
