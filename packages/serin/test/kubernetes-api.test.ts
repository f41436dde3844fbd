import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { certificatesIn } from '../src/api/certificates.ts'
import { kubeconfigText, writeKubeconfig } from '../src/api/kubeconfig.ts'
import { ConfigMap, Deployment, Pod, Service } from '../src/resources/kinds.ts'
import type { KubeObject } from '../src/resources/object.ts'
import type { ServiceObject } from '../src/resources/kubernetes/types.ts'
import { ADMIN, openTestApi, VIEWER, type TestApi } from './api-process.ts'

interface Asked {
  readonly method?: string
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

interface Answered {
  readonly status: number
  readonly text: string
  readonly body: Readonly<Record<string, unknown>> & { readonly message?: string; readonly reason?: string }
}

const PODS = '/api/v1/namespaces/default/pods'
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

describe('the API', () => {
  let server: TestApi
  before(async () => {
    server = await openTestApi({ storeOptions: { history: { events: 20, bytes: 1_000_000 } } })
  })
  after(() => server.close())

  function ask(path: string, { method = 'GET', token = ADMIN, body, headers = {} }: Asked = {}): Promise<Answered> {
    const { host, port } = server.api.address
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host,
          port,
          path,
          method,
          ca: server.certificates.authority,
          agent: false,
          servername: 'localhost',
          headers: {
            ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (response) => {
          let all = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (all += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text: all, body: parsed(all) }))
        },
      )
      sent.on('error', reject)
      sent.end(text)
    })
  }

  const configMap = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
  })

  test('the viewer reads everything but Secrets and writes nothing', async () => {
    assert.equal((await ask(CONFIG_MAPS, { token: VIEWER })).status, 200)
    assert.equal((await ask('/api/v1/namespaces/default/secrets', { token: VIEWER })).status, 403)
    assert.equal((await ask(CONFIG_MAPS, { token: VIEWER, method: 'POST', body: configMap('v') })).status, 403)
  })

  test('no token is anonymous, a wrong one is nobody', async () => {
    assert.equal((await ask(CONFIG_MAPS, { token: '' })).status, 403)
    assert.equal((await ask(CONFIG_MAPS, { token: 'guess' })).status, 401)
    assert.equal((await ask('/readyz', { token: '' })).text, 'ok')
  })

  test('a page of another origin, and another name of this server, are turned away', async () => {
    assert.equal((await ask(CONFIG_MAPS, { headers: { origin: 'https://evil.example' } })).status, 403)
    assert.equal((await ask(CONFIG_MAPS, { headers: { host: 'evil.example' } })).status, 403)
    assert.equal((await ask(CONFIG_MAPS, { headers: { host: 'localhost:1234' } })).status, 200)
  })

  test('octets that are no TLS, and a URL that is too long, cost a connection and no more', async () => {
    const { host, port } = server.api.address
    const socket = createConnection({ host, port })
    socket.end('GET / HTTP/1.1\r\n\r\n')
    await new Promise((resolve) => socket.on('close', resolve).on('error', resolve).resume())
    assert.equal((await ask(`/api/v1/pods?labelSelector=${'a'.repeat(20_000)}`)).status, 413)
    assert.equal((await ask('/api/v1/namespaces/%zz/pods')).status, 400)
    assert.equal((await ask('/readyz')).text, 'ok')
  })

  test('a watch from before the history says so in the stream, one from another store too', async () => {
    for (let count = 0; count < 30; count += 1) await server.store.create(ConfigMap, configMap(`old-${count}`))
    for (const version of ['2', '999999999']) {
      const { status, text } = await ask(`${CONFIG_MAPS}?watch=1&resourceVersion=${version}`)
      assert.equal(status, 200)
      const event = JSON.parse(text) as { type: string; object: { reason: string; code: number } }
      assert.deepEqual([event.type, event.object.reason, event.object.code], ['ERROR', 'Expired', 410])
    }
  })

  test('an eviction that is a dry run evicts nobody', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    }
    await server.store.create(Pod, pod)
    const evict = (deleteOptions: object): Promise<Answered> =>
      ask(`${PODS}/p/eviction`, {
        method: 'POST',
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' }, deleteOptions },
      })
    assert.equal((await evict({ dryRun: ['All'] })).status, 201)
    assert.ok((await server.store.get(Pod, pod.metadata)) !== undefined)
    assert.equal((await evict({})).status, 201)
    assert.equal(await server.store.get(Pod, pod.metadata), undefined)
  })

  test('scale reads and writes the replicas of a Deployment', async () => {
    const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
    const spec = { replicas: 2, selector: { matchLabels: { app: 'a' } }, template }
    await server.store.create(Deployment, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec,
    })
    const path = '/apis/apps/v1/namespaces/default/deployments/web/scale'
    const scale = await ask(path)
    assert.deepEqual([scale.body['spec'], scale.body['status']], [{ replicas: 2 }, { replicas: 0, selector: 'app=a' }])
    const scaled = await ask(path, { method: 'PUT', body: { ...scale.body, spec: { replicas: 5 } } })
    assert.deepEqual(scaled.body['spec'], { replicas: 5 })
    assert.equal((await ask(path, { method: 'PUT', body: scale.body })).status, 409)
    assert.equal((await ask(`${CONFIG_MAPS}/old-1/status`)).status, 404)
  })

  test('a JSON patch that does not apply is 422, and says no more than Kubernetes does', async () => {
    const body = [{ op: 'remove', path: '/data/none' }]
    const answer = await ask(`${CONFIG_MAPS}/old-1`, {
      method: 'PATCH',
      body,
      headers: { 'content-type': 'application/json-patch+json' },
    })
    assert.deepEqual([answer.status, answer.body.reason], [422, 'Invalid'])
  })

  test('Services get addresses and node ports nobody has, and give them back', async () => {
    const service = (name: string, spec: object): ServiceObject =>
      ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { ports: [{ port: 80 }], ...spec },
      }) as ServiceObject
    const first = await server.store.create(Service, service('s1', { type: 'NodePort' }))
    const address = first.spec.clusterIP ?? ''
    assert.match(address, /^127\.(9[6-9]|10\d|11[01])\./)
    const nodePort = first.spec.ports?.[0]?.nodePort
    await assert.rejects(
      server.store.create(Service, service('s2', { clusterIP: address })),
      /provided IP is already allocated/,
    )
    const same = { type: 'NodePort', ports: [{ port: 80, nodePort }] }
    await assert.rejects(server.store.create(Service, service('s2', same)), /provided port is already allocated/)
    await server.store.delete(Service, first.metadata)
    assert.equal(
      (await server.store.create(Service, service('s2', { ...same, clusterIP: address }))).spec.clusterIP,
      address,
    )
  })

  test('kinds that nothing acts on are found, empty, and refused with the reason', async () => {
    const path = '/apis/apps/v1/namespaces/default/statefulsets'
    assert.deepEqual((await ask(path)).body['items'], [])
    const refused = await ask(path, { method: 'POST', body: { metadata: { name: 's' } } })
    assert.equal(refused.status, 403)
    assert.match(refused.body.message ?? '', /no controller for a StatefulSet.*use a Deployment/)
    assert.equal((await ask(`${path}/s`)).status, 404)
  })

  test('a definition is taken for a kind we know and refused for others', async () => {
    const definition = (group: string, kind: string, plural: string): object => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, plural },
        versions: [{ name: 'v3alpha1', served: true, storage: true }],
      },
    })
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    assert.equal(
      (await ask(path, { method: 'POST', body: definition('getambassador.io', 'Mapping', 'mappings') })).status,
      201,
    )
    const refused = await ask(path, { method: 'POST', body: definition('example.com', 'Thing', 'things') })
    assert.equal(refused.status, 422)
    assert.match(refused.body.message ?? '', /nothing here would act on its objects/)
  })
})

describe('certificates', () => {
  test('ours are good for their names and renewed in time; the authority stays', () => {
    const directory = mkdtempSync(join(tmpdir(), 'serin-tls-'))
    try {
      const first = certificatesIn(directory, ['box.example', '10.1.2.3', 'fd00::1'])
      const leaf = new X509Certificate(first.certificate)
      assert.ok(leaf.verify(new X509Certificate(first.authority).publicKey))
      assert.ok(
        leaf.checkHost('box.example') !== undefined &&
          leaf.checkIP('10.1.2.3') !== undefined &&
          leaf.checkIP('fd00::1') !== undefined,
      )
      assert.equal(statSync(join(directory, 'ca.key')).mode & 0o777, 0o600)
      assert.equal(certificatesIn(directory, ['box.example']).certificate, first.certificate)

      const later = certificatesIn(directory, [], new Date(Date.now() + 340 * 24 * 3600 * 1000))
      assert.notEqual(later.certificate, first.certificate)
      assert.equal(later.authority, first.authority)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('the kubeconfig is for its owner only', () => {
    const directory = mkdtempSync(join(tmpdir(), 'serin-config-'))
    try {
      const path = join(directory, 'kubeconfig')
      const entry = { server: 'https://127.0.0.1:6440', authority: 'PEM', token: 't', user: 'admin' }
      writeKubeconfig(path, entry)
      assert.equal(readFileSync(path, 'utf8'), kubeconfigText(entry))
      assert.equal(statSync(path).mode & 0o777, 0o600)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

function parsed(text: string): Answered['body'] {
  try {
    return JSON.parse(text) as Answered['body']
  } catch {
    return {}
  }
}
