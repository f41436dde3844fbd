import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressRange } from './addresses.ts'

function all(text: string, names: readonly string[]): readonly (string | undefined)[] {
  const range = AddressRange.parse(text)
  const taken = new Set<string>()
  return names.map((name) => {
    const address = range?.next(taken, name)
    if (address !== undefined) taken.add(address)
    return address
  })
}

test('a network gives all of its addresses but the first and the last, each once', () => {
  const given = all('127.0.0.8/29', ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  const six = [9, 10, 11, 12, 13, 14].map((last) => `127.0.0.${String(last)}`)
  assert.deepEqual(given.slice(0, 6).toSorted(), six.toSorted())
  assert.equal(given[6], undefined)
})

test('a span gives all of its addresses; one address is a span of one', () => {
  assert.deepEqual(all('10.0.0.255-10.0.1.1', ['a', 'b', 'c']).toSorted(), ['10.0.0.255', '10.0.1.0', '10.0.1.1'])
  assert.deepEqual(all('192.168.0.7', ['a', 'b']), ['192.168.0.7', undefined])
})

test('one name gets one address, as long as nobody has it', () => {
  const range = AddressRange.parse('127.112.0.0/16')
  assert.equal(range?.next(new Set(), 'default/web'), range?.next(new Set(), 'default/web'))
})

test('what is no range is none', () => {
  for (const text of ['', 'none', '10.0.0', '10.0.0.0/33', '10.0.0.9-10.0.0.1', '300.0.0.1', '10.0.0.0/x']) {
    assert.equal(AddressRange.parse(text), undefined, text)
  }
})
