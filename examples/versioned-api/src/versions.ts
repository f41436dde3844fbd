/** The versions of the shop, and what changed in each. The handlers in `items.ts` know the newest form only. */

import { change, type VersionedOptions } from '@serin/versioning'
import { itemWithQuantity, newItemWithQuantity, type Item, type ItemWithQuantity, type NewItem } from './schemas.ts'

// With the versions declared, the compiler refuses any other one.
declare module '@serin/versioning' {
  interface Register {
    versions: 1 | 2 | '3-beta'
  }
}

/** Version 1 is on its way out, 3 is not there yet: it is served to those who ask for it by name, and is not the latest. */
export const versions: NonNullable<VersionedOptions['versions']> = {
  1: { deprecated: '2026-01-01', sunset: '2027-06-30', info: 'https://example.org/shop/moving-to-version-2' },
  2: {},
  '3-beta': {},
}

const quantityPerStore = change(2, 'The quantity of an item is told for each store', {
  on: [{ url: '/items/:id' }, { method: 'POST', url: '/items' }],
  schema: { body: newItemWithQuantity, response: { 200: itemWithQuantity, 201: itemWithQuantity } },
  request: ({ quantity, ...item }: Omit<ItemWithQuantity, 'id'>): NewItem => ({
    ...item,
    stores: [{ store: 'main', quantity }],
  }),
  response: ({ stores, ...item }: Item): ItemWithQuantity => ({
    ...item,
    quantity: stores.reduce((sum, { quantity }) => sum + quantity, 0),
  }),
})

export const changes: NonNullable<VersionedOptions['changes']> = [quantityPerStore]
