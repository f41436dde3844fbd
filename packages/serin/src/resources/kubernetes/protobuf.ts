/**
 * Kubernetes' protobuf encoding, read only: newer kubectls send some creates in it. An envelope (`k8s\0`, then a message with type
 * and raw object) around the message of the kind. `../openapi/protobuf.json` has the numbers: message → number → `name type`;
 * types are `s`tring, `i`nteger, `b`ool, `d`ouble, b`y`tes or a message, after `[]` or `{}` for lists and maps; without a name
 * the message's fields stand in the one around it.
 */
import { readFileSync } from 'node:fs'

export class ProtobufError extends Error {}

type Numbers = Readonly<Record<string, Readonly<Record<string, string>>>>

const MAGIC = Buffer.from('k8s\0')
const MESSAGES_DEEP_MAX = 60
const VARINT_BYTES_MAX = 10

let numbers: Numbers | undefined

function table(): Numbers {
  numbers ??= {
    ...(JSON.parse(readFileSync(new URL('../openapi/protobuf.json', import.meta.url), 'utf8')) as Numbers),
    [UNKNOWN]: { '1': 'metadata meta.v1.ObjectMeta' },
  }
  return numbers
}

/** The object as JSON has it, with `apiVersion` and `kind`. Throws ProtobufError. */
export function decodeProtobuf(octets: Buffer): Record<string, unknown> {
  if (!octets.subarray(0, MAGIC.length).equals(MAGIC))
    throw new ProtobufError('provided data does not appear to be a protobuf message')
  let apiVersion = ''
  let kind = ''
  let raw = Buffer.alloc(0)
  for (const { number, value } of fields(octets.subarray(MAGIC.length))) {
    if (number === 1 && Buffer.isBuffer(value)) {
      for (const part of fields(value)) {
        if (part.number === 1) apiVersion = String(part.value)
        if (part.number === 2) kind = String(part.value)
      }
    } else if (number === 2 && Buffer.isBuffer(value)) raw = Buffer.from(value)
  }
  const name = messageOf(apiVersion, kind)
  if (table()[name] !== undefined) return { apiVersion, kind, ...message(name, raw, 0) }
  return { apiVersion, kind, ...message(UNKNOWN, raw, 0) }
}

/** Of a kind that is not served: the first field of every object is its metadata. */
const UNKNOWN = 'Object'

const GROUPS: Readonly<Record<string, string>> = {
  apps: 'apps',
  autoscaling: 'autoscaling',
  policy: 'policy',
  'authentication.k8s.io': 'authentication',
  'authorization.k8s.io': 'authorization',
  'coordination.k8s.io': 'coordination',
  'discovery.k8s.io': 'discovery',
  'events.k8s.io': 'events',
  'networking.k8s.io': 'networking',
}

function messageOf(apiVersion: string, kind: string): string {
  if (kind === 'DeleteOptions') return 'meta.v1.DeleteOptions'
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  return `${group === '' ? 'core' : (GROUPS[group ?? ''] ?? group)}.${version}.${kind}`
}

function message(name: string, octets: Buffer, depth: number): Record<string, unknown> {
  if (depth > MESSAGES_DEEP_MAX) throw new ProtobufError('messages are nested too deeply')
  const known = table()[name] ?? {}
  const result: Record<string, unknown> = {}
  for (const { number, value } of fields(octets)) {
    const [field, type = ''] = (known[number] ?? '').split(' ')
    if (field === undefined || type === '') continue
    if (field === '') Object.assign(result, single(type, value, depth))
    else if (type.startsWith('[]')) {
      const list = (result[field] ??= []) as unknown[]
      list.push(single(type.slice(2), value, depth))
    } else if (type.startsWith('{}')) {
      const map = (result[field] ??= {}) as Record<string, unknown>
      const [key, entry] = mapEntry(type.slice(2), value, depth)
      Object.defineProperty(map, key, { value: entry, enumerable: true, configurable: true, writable: true })
    } else {
      const decoded = single(type, value, depth)
      if (decoded !== undefined) result[field] = decoded
    }
  }
  return result
}

function mapEntry(type: string, value: Buffer | bigint, depth: number): [string, unknown] {
  let key = ''
  let entry: unknown = type === 's' || type === 'y' ? '' : {}
  for (const part of fields(asBuffer(value))) {
    if (part.number === 1) key = asBuffer(part.value).toString()
    if (part.number === 2) entry = single(type, part.value, depth)
  }
  return [key, entry]
}

function single(type: string, value: Buffer | bigint, depth: number): unknown {
  switch (type) {
    case 's':
      return asBuffer(value).toString()
    case 'y':
      return asBuffer(value).toString('base64')
    case 'b':
      return value !== 0n
    case 'i':
      return integer(value)
    case 'd':
      return asBuffer(value).readDoubleLE(0)
    case 'meta.v1.Time':
    case 'meta.v1.MicroTime':
      return time(asBuffer(value), type)
    case 'api.resource.Quantity':
      return text(asBuffer(value), 1)
    case 'util.intstr.IntOrString':
      return intOrString(asBuffer(value))
    case 'meta.v1.FieldsV1':
    case 'runtime.RawExtension':
      return JSON.parse(text(asBuffer(value), 1) || 'null') as unknown
    default: {
      const decoded = message(type, asBuffer(value), depth + 1)
      // A named list (`ExtraValue`) is a message with one field in protobuf and a list in JSON.
      return Object.keys(table()[type] ?? {}).join() === '1' && table()[type]?.['1']?.startsWith('items ') === true
        ? (decoded['items'] ?? [])
        : decoded
    }
  }
}

function time(octets: Buffer, type: string): string | undefined {
  let seconds = 0
  let nanos = 0
  for (const { number, value } of fields(octets)) {
    if (number === 1) seconds = integer(value)
    if (number === 2) nanos = integer(value)
  }
  if (octets.length === 0) return undefined
  const date = new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  return type === 'meta.v1.MicroTime'
    ? date.replace('Z', `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`)
    : date
}

function intOrString(octets: Buffer): number | string {
  let type = 0
  let number = 0
  let string = ''
  for (const part of fields(octets)) {
    if (part.number === 1) type = integer(part.value)
    if (part.number === 2) number = integer(part.value)
    if (part.number === 3) string = asBuffer(part.value).toString()
  }
  return type === 0 ? number : string
}

function text(octets: Buffer, wanted: number): string {
  for (const { number, value } of fields(octets)) if (number === wanted) return asBuffer(value).toString()
  return ''
}

function asBuffer(value: Buffer | bigint): Buffer {
  if (Buffer.isBuffer(value)) return value
  throw new ProtobufError('proto: wrong wireType')
}

function integer(value: Buffer | bigint): number {
  if (Buffer.isBuffer(value)) throw new ProtobufError('proto: wrong wireType')
  return Number(BigInt.asIntN(64, value))
}

/** The fields of a message, in order: varints as numbers, the rest as octets. */
function* fields(octets: Buffer): Generator<{ number: number; value: Buffer | bigint }> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
      const octet = octets[at]
      if (octet === undefined) break
      at += 1
      value |= BigInt(octet & 0x7f) << BigInt(7 * index)
      if (octet < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('unexpected EOF')
  }
  const take = (count: number): Buffer => {
    if (at + count > octets.length) throw new ProtobufError('unexpected EOF')
    at += count
    return octets.subarray(at - count, at)
  }
  while (at < octets.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint() }
        break
      case 1:
        yield { number, value: take(8) }
        break
      case 2:
        yield { number, value: take(Number(varint())) }
        break
      case 5:
        yield { number, value: take(4) }
        break
      default:
        throw new ProtobufError('proto: illegal wireType')
    }
  }
}
