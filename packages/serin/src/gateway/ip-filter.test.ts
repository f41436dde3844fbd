import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IpFilter } from './ip-filter.ts'

test('an allow list lets in whom it names, by peer or by the client behind proxies', () => {
  const filter = new IpFilter({
    kind: 'allow',
    rules: [
      { of: 'peer', cidr: '127.0.0.2/32' },
      { of: 'remote', cidr: '99.99.0.0/16' },
      { of: 'remote', cidr: '2001:db8::/32' },
    ],
  })
  assert.equal(filter.admits('127.0.0.2', '1.2.3.4'), true)
  assert.equal(filter.admits('127.0.0.1', '99.99.200.1'), true)
  assert.equal(filter.admits('127.0.0.1', '2001:db8:1::5'), true)
  assert.equal(filter.admits('127.0.0.1', '127.0.0.2'), false)
  assert.equal(filter.admits('99.99.0.1', '1.2.3.4'), false)
})

test('a deny list keeps out whom it names; an empty allow list lets nobody in', () => {
  const deny = new IpFilter({ kind: 'deny', rules: [{ of: 'peer', cidr: '10.0.0.0/8' }] })
  assert.equal(deny.admits('10.1.2.3', '10.1.2.3'), false)
  assert.equal(deny.admits('11.1.2.3', '10.1.2.3'), true)
  assert.equal(new IpFilter({ kind: 'allow', rules: [] }).admits('127.0.0.1', '127.0.0.1'), false)
})
