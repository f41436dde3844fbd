import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServiceNames } from './service-names.ts'

test('the nearest Service of the same namespace, and no search without end', () => {
  const names = new ServiceNames()
  names.refresh(['a/quote', 'b/quota'])
  assert.equal(names.nearest('a/quotes'), 'quote')
  assert.equal(names.nearest('b/quotes'), 'quota')
  assert.equal(names.nearest('c/quote'), undefined)
  assert.equal(names.hasNamespace('c'), false)
  names.refresh(Array.from({ length: 3000 }, (_, index) => `a/quote-${index}`))
  assert.equal(names.nearest('a/quote-x'), undefined)
})
