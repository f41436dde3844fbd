/**
 * Our own certificate authority and the server's certificate: made when they are not there, made anew before they end. X.509 v3
 * (RFC 5280) with ECDSA on P-256. The few structures needed are written here (DER); keys and signatures are Node's.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'

const DAY_MS = 24 * 3600 * 1000
const CA_DAYS = 3650
const SERVER_DAYS = 365
/** A certificate with less than this left is made anew. */
const RENEW_DAYS = 30
/** Clocks differ: a certificate is good from a little before now. */
const BACKDATED_MS = 5 * 60 * 1000

export interface Certificates {
  /** PEM of the authority's certificate, for clients. */
  readonly authority: string
  readonly certificate: string
  readonly key: string
  /** When to ask again. */
  readonly renewAt: Date
}

/** What `directory` has (`ca.crt`, `ca.key`, `server.crt`, `server.key`, all 0600), completed and renewed. */
export function certificatesIn(directory: string, names: readonly string[], now: Date = new Date()): Certificates {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const ca = authorityIn(directory, now)
  const wanted = [...new Set(['localhost', '127.0.0.1', '::1', ...names])]
  let server = read(directory, 'server')
  if (server === undefined || !isGood(server, now) || !isFor(server, ca, wanted)) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const certificate = issue({
      subject: 'serin',
      issuer: 'serin-ca',
      days: SERVER_DAYS,
      publicKey,
      signer: ca.key,
      now,
      extensions: [...serverExtensions(wanted)],
    })
    server = { certificate, key: privateKey }
    write(directory, 'server', server)
  }
  const ends = Math.min(...[ca, server].map(({ certificate }) => Date.parse(new X509Certificate(certificate).validTo)))
  return {
    authority: ca.certificate,
    certificate: server.certificate + ca.certificate,
    key: pem(server.key),
    renewAt: new Date(ends - RENEW_DAYS * DAY_MS),
  }
}

interface Pair {
  readonly certificate: string
  readonly key: KeyObject
}

function authorityIn(directory: string, now: Date): Pair {
  const found = read(directory, 'ca')
  if (found !== undefined && isGood(found, now)) return found
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = issue({
    subject: 'serin-ca',
    issuer: 'serin-ca',
    days: CA_DAYS,
    publicKey,
    signer: privateKey,
    now,
    extensions: [
      extension([2, 5, 29, 19], sequence(boolean(true)), true),
      // keyCertSign, cRLSign
      extension([2, 5, 29, 15], bits(Buffer.of(0x06), 1), true),
    ],
  })
  const pair = { certificate, key: privateKey }
  write(directory, 'ca', pair)
  return pair
}

function isGood({ certificate, key }: Pair, now: Date): boolean {
  const parsed = new X509Certificate(certificate)
  return parsed.checkPrivateKey(key) && Date.parse(parsed.validTo) - now.getTime() > RENEW_DAYS * DAY_MS
}

function isFor({ certificate }: Pair, ca: Pair, names: readonly string[]): boolean {
  const parsed = new X509Certificate(certificate)
  const covers = (name: string): boolean =>
    (isIP(name) === 0 ? parsed.checkHost(name, { subject: 'never' }) : parsed.checkIP(name)) !== undefined
  return parsed.verify(createPublicKey(ca.certificate)) && names.every(covers)
}

function read(directory: string, name: string): Pair | undefined {
  try {
    return {
      certificate: readFileSync(join(directory, `${name}.crt`), 'utf8'),
      key: createPrivateKey(readFileSync(join(directory, `${name}.key`), 'utf8')),
    }
  } catch {
    return undefined // Not there, or not to be read: it is made anew.
  }
}

function write(directory: string, name: string, { certificate, key }: Pair): void {
  for (const [ending, text] of [
    ['key', pem(key)],
    ['crt', certificate],
  ] as const) {
    const path = join(directory, `${name}.${ending}`)
    writeFileSync(`${path}.new`, text, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

interface Issue {
  readonly subject: string
  readonly issuer: string
  readonly days: number
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly now: Date
  readonly extensions: readonly Buffer[]
}

/** A certificate as PEM (RFC 5280 §4.1). */
function issue({ subject, issuer, days, publicKey, signer, now, extensions }: Issue): string {
  const algorithm = sequence(objectIdentifier([1, 2, 840, 10045, 4, 3, 2])) // ecdsa-with-SHA256
  const start = new Date(now.getTime() - BACKDATED_MS)
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40 // Positive, and of full length.
  const body = sequence(
    tagged(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    algorithm,
    name(issuer),
    sequence(time(start), time(new Date(now.getTime() + days * DAY_MS))),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const certificate = sequence(body, algorithm, bits(sign('sha256', body, signer), 0))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function serverExtensions(names: readonly string[]): Buffer[] {
  const alternative = names.map((entry) =>
    isIP(entry) === 0 ? der(0x82, Buffer.from(entry)) : der(0x87, addressOctets(entry)),
  )
  return [
    extension([2, 5, 29, 19], sequence(), true),
    extension([2, 5, 29, 15], bits(Buffer.of(0x80), 7), true), // digitalSignature
    extension([2, 5, 29, 37], sequence(objectIdentifier([1, 3, 6, 1, 5, 5, 7, 3, 1])), false), // serverAuth
    extension([2, 5, 29, 17], sequence(...alternative), false),
  ]
}

function addressOctets(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [left = '', right] = address.split('::')
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)))
  const head = groups(left)
  const tail = groups(right ?? '')
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  const octets = Buffer.alloc(16)
  all.forEach((group, index) => octets.writeUInt16BE(group, index * 2))
  return octets
}

function extension(oid: readonly number[], value: Buffer, critical: boolean): Buffer {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), der(0x04, value))
}

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(objectIdentifier([2, 5, 4, 3]), der(0x0c, Buffer.from(commonName)))))
}

/** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.of(value ? 0xff : 0))
}

function bits(value: Buffer, unused: number): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(unused), value]))
}

function objectIdentifier(parts: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = parts
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80)
  return digits
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function tagged(tag: number, value: Buffer): Buffer {
  return der(tag, value)
}

function der(tag: number, value: Buffer): Buffer {
  const { length } = value
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value])
  const octets = length > 0xff ? [length >>> 8, length & 0xff] : [length]
  return Buffer.concat([Buffer.of(tag, 0x80 | octets.length, ...octets), value])
}
