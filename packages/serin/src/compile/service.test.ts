import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseService, type ServiceAddress } from './service.ts'

const parse = (service: string, namespace = 'default', useGatewayNamespace = false): ServiceAddress =>
  parseService(service, { namespace, gatewayNamespace: 'default', useGatewayNamespace })

const TABLE: readonly (readonly [string, string, number, ServiceAddress['scheme'], string | undefined])[] = [
  ['web', 'web', 80, 'http', 'default/web'],
  ['web:8000', 'web', 8000, 'http', 'default/web'],
  ['WEB:8000', 'web', 8000, 'http', 'default/web'],
  ['web.other:8000', 'web.other', 8000, 'http', 'other/web'],
  ['web.other.svc', 'web.other.svc', 80, 'http', 'other/web'],
  ['web.other.svc.cluster.local', 'web.other.svc.cluster.local', 80, 'http', 'other/web'],
  ['c.ns.:8000', 'c.ns.', 8000, 'http', 'ns/c'],
  ['https://web', 'web', 443, 'https', 'default/web'],
  ['HTTPS://Tls', 'tls', 443, 'https', 'default/tls'],
  ['http://web:81/path?x', 'web', 81, 'http', 'default/web'],
  ['api.example.com', 'api.example.com', 80, 'http', undefined],
  ['127.0.0.1:9001', '127.0.0.1', 9001, 'http', undefined],
  ['[::1]:9001', '[::1]', 9001, 'http', undefined],
  ['localhost:9001', 'localhost', 9001, 'http', 'default/localhost'],
  ['web:', 'web', 80, 'http', 'default/web'],
  ['web:0', 'web', 80, 'http', 'default/web'],
]

test('services are read as Emissary reads them', () => {
  for (const [text, host, port, scheme, serviceKey] of TABLE) {
    const address = parse(text)
    assert.deepEqual(
      [address.host, address.port, address.scheme, address.serviceKey],
      [host, port, scheme, serviceKey],
      text,
    )
    assert.deepEqual(address.problems, [], text)
  }
})

test('what is wrong with a service is said, and the rest is used', () => {
  const wrong = (text: string): unknown[] => {
    const { host, port, problems } = parse(text)
    return [host, port, problems.length]
  }
  assert.deepEqual(wrong('a:80.invalid'), ['a', 80, 1])
  assert.deepEqual(wrong('b:notaport'), ['b', 80, 1])
  assert.deepEqual(wrong('c:70000'), ['c', 80, 1])
  assert.deepEqual(wrong('ftp://d:8000'), ['d', 8000, 1])
  assert.deepEqual(wrong(''), ['unknown', 80, 1])
})

test("a name without a dot means the Mapping's namespace, unless it is the gateway's or the Module says so", () => {
  assert.equal(parse('web:8000', 'other').host, 'web.other')
  assert.equal(parse('web.third:8000', 'other').host, 'web.third')
  assert.equal(parse('localhost:8000', 'other').host, 'localhost')
  assert.equal(parse('[::1]:8000', 'other').host, '[::1]')
  assert.equal(parse('web:8000', 'other', true).host, 'web')
})
