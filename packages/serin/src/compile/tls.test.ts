import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import type { KubeObject } from '../resources/object.ts'
import { CERTIFICATE as CERT, KEY } from '../../test/emissary/certificate.ts'
import { createCompiler } from './compile.ts'

const CRL = `-----BEGIN X509 CRL-----
MIGtMFUCAQEwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJZWNoby50ZXN0Fw0yNjEx
MjUxNTMxMjVaGA8yMTI2MTEwMTE1MzEyNVqgDjAMMAoGA1UdFAQDAgEBMAoGCCqG
SM49BAMCA0gAMEUCIHPoCbvZ62aJ/INnWxbTboQx1+qN/XXz6TcLUs/YyWpsAiEA
7+msW2wlZnmrNHVUdr9w0EQw/pAyPh3LCfryhHW1bO8=
-----END X509 CRL-----
`

const ambassador = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'getambassador.io/v3alpha1',
  kind,
  metadata: { name, namespace: 'default' },
  spec,
})
const secret = (name: string, data: Record<string, string>): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  }) as KubeObject
const listener = ambassador('Listener', 'l', {
  port: 8443,
  protocol: 'HTTPS',
  securityModel: 'XFP',
  hostBinding: { namespace: { from: 'ALL' } },
})
const pair = { 'tls.crt': CERT, 'tls.key': KEY }

test("a Host's certificate comes from its Secret, its settings from tls and the TLSContext", () => {
  const host = ambassador('Host', 'h', {
    hostname: 'a.com',
    tlsSecret: { name: 'cert' },
    tlsContext: { name: 'ctx' },
    tls: { min_tls_version: 'v1.3' },
  })
  const context = ambassador('TLSContext', 'ctx', {
    hosts: ['a.com'],
    secret: 'cert',
    ca_secret: 'ca',
    crl_secret: 'crl',
    cert_required: true,
    min_tls_version: 'v1.2',
    max_tls_version: 'v1.3',
    alpn_protocols: 'h2, http/1.1',
    cipher_suites: ['AES128-SHA'],
    ecdh_curves: ['P-256'],
  })
  const objects = [
    listener,
    host,
    context,
    secret('cert', pair),
    secret('ca', { 'tls.crt': CERT }),
    secret('crl', { 'crl.pem': CRL }),
  ]
  const { snapshot, diagnostics } = createCompiler().compile({ objects })
  assert.deepEqual(diagnostics, [])
  assert.deepEqual(snapshot.virtualHosts[0]?.tls, {
    cert: CERT,
    key: KEY,
    ca: CERT,
    crl: CRL,
    clientCertRequired: true,
    minVersion: 'v1.3',
    maxVersion: 'v1.3',
    alpn: ['h2', 'http/1.1'],
    cipherSuites: ['AES128-SHA'],
    ecdhCurves: ['P-256'],
  })
})

test('a Secret that goes bad, or away, keeps the last good certificate', () => {
  const compiler = createCompiler()
  const host = ambassador('Host', 'h', { hostname: 'a.com', tlsSecret: { name: 'cert' } })
  const first = compiler.compile({ objects: [listener, host, secret('cert', pair)] }).snapshot
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  for (const objects of [
    [],
    [secret('cert', { 'tls.crt': 'rubbish', 'tls.key': KEY })],
    [secret('cert', { 'tls.crt': CERT, 'tls.key': privateKey })],
    [secret('cert', { 'tls.crt': CERT })],
  ]) {
    const result = compiler.compile({ objects: [listener, host, ...objects] })
    assert.deepEqual(result.snapshot.virtualHosts[0]?.tls, first.virtualHosts[0]?.tls)
    assert.equal(result.diagnostics[0]?.severity, 'error')
  }
})

test('towards an upstream: https alone verifies nothing, a TLSContext with a CA does, one without a certificate is not used', () => {
  const mapping = (name: string, spec: object): KubeObject =>
    ambassador('Mapping', name, { hostname: '*', prefix: `/${name}/`, ...spec })
  const objects = [
    listener,
    secret('cert', pair),
    secret('ca', { 'tls.crt': CERT }),
    ambassador('TLSContext', 'mutual', { secret: 'cert', ca_secret: 'ca', sni: 'real.example.com' }),
    ambassador('TLSContext', 'empty', { sni: 'x' }),
    mapping('a', { service: 'https://10.0.0.1' }),
    mapping('b', { service: '10.0.0.2:8443', tls: 'mutual' }),
    mapping('c', { service: '10.0.0.3:8443', tls: 'empty' }),
  ]
  const { snapshot, diagnostics } = createCompiler().compile({ objects })
  const tlsOf = (address: string): unknown => snapshot.clusters.find(({ name }) => name.includes(address))?.tls
  assert.deepEqual(tlsOf('10.0.0.1'), { verify: false, alpn: [] })
  assert.deepEqual(tlsOf('10.0.0.2'), {
    sni: 'real.example.com',
    ca: CERT,
    cert: CERT,
    key: KEY,
    verify: true,
    alpn: [],
  })
  assert.equal(tlsOf('10.0.0.3'), undefined)
  assert.deepEqual(
    diagnostics.map(({ code }) => code),
    ['no-certificate', 'unknown-tls-context'],
  )
})

test('settings that OpenSSL does not take keep the last good ones', () => {
  const compiler = createCompiler()
  const host = (tls: object): KubeObject =>
    ambassador('Host', 'h', { hostname: 'a.com', tlsSecret: { name: 'cert' }, tls })
  const first = compiler.compile({ objects: [listener, host({}), secret('cert', pair)] }).snapshot
  for (const tls of [{ cipher_suites: ['NO-SUCH'] }, { ecdh_curves: ['NO-SUCH'] }, { crl_secret: 'crl' }]) {
    const result = compiler.compile({
      objects: [listener, host(tls), secret('cert', pair), secret('crl', { 'crl.pem': 'rubbish' })],
    })
    assert.deepEqual(result.snapshot.virtualHosts[0]?.tls, first.virtualHosts[0]?.tls, JSON.stringify(tls))
    assert.deepEqual(
      result.diagnostics.map(({ code }) => code),
      ['bad-tls-settings'],
    )
  }
})
