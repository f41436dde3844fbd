import { AddressRange } from './services/addresses.ts'

/** What a user may choose about workloads: small, for those who read a command line before the room is needed. */

/** `none` leaves pods to whoever plays the kubelet through the API; `auto` takes containers for images that podman or docker has, else processes. */
export type RuntimeChoice = 'auto' | 'process' | 'container' | 'none'

export const RUNTIMES: readonly RuntimeChoice[] = ['auto', 'process', 'container', 'none']

/** `127.112.0.0/16`, `127.0.0.10-127.0.0.20`, or `none`. */
export function isLoadBalancerRange(text: string): boolean {
  return text === 'none' || AddressRange.parse(text) !== undefined
}
