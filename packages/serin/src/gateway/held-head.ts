/** The head of a request that waits: copied away from the buffer that all connections share, and read back when it goes on. */
import type { Settings } from '../model/settings.ts'
import { connectionOptions } from '../wire/connection-options.ts'
import { type Head, parseRequestHead } from '../wire/head.ts'
import { DEFAULT_LIMITS, type Limits } from '../wire/limits.ts'
import type { HeldRequest } from './check.ts'
import { forwardedFor } from './client-address.ts'
import type { CompiledForward } from './compiled-destination.ts'
import { readTarget, type Target } from './request-target.ts'

/** It was within limits when it came; what a check adds may go beyond. */
const OWN_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  headBytesMax: 2 ** 20,
  requestLineBytesMax: 2 ** 20,
  fieldNameBytesMax: 2 ** 16,
}

interface Facts {
  readonly head: Head
  readonly target: Target
  readonly method: string
  readonly proto: string
  readonly peerAddress: string
  readonly externalAddress: string
  readonly settings: Settings
  readonly forward: CompiledForward
}

export function heldRequest(facts: Facts, query: string): Omit<HeldRequest, 'body' | 'bodyEnded'> {
  const { head, target, method, proto, peerAddress, externalAddress, settings, forward } = facts
  const before = forwardedFor(head)
  return {
    method,
    authority: target.host,
    path: target.path + query,
    proto,
    peerAddress,
    externalAddress,
    forwardedFor: before === '' ? peerAddress : settings.useRemoteAddress ? `${before},${peerAddress}` : before,
    requestId: '',
    head: Buffer.from(head.buffer.subarray(head.methodStart, head.end)),
    forward,
  }
}

/** False: what came out of a check is no request any more. */
export function readHeldHead(head: Head, octets: Buffer, target: Target, settings: Settings, method: string): boolean {
  if (parseRequestHead(head, octets, 0, octets.length, OWN_LIMITS) < 0) return false
  if (connectionOptions(head, OWN_LIMITS.fieldsMax) < 0) return false
  return readTarget(head, target, settings, false, method === 'OPTIONS') === null
}
