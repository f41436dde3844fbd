/** Of two endpoints drawn at random, the one with fewer requests under way (as Envoy, choice_count 2). */
import type { EndpointState } from './endpoint.ts'

export class LeastRequest {
  pick(endpoints: readonly EndpointState[]): EndpointState {
    const one = endpoints[Math.floor(Math.random() * endpoints.length)]!
    const other = endpoints[Math.floor(Math.random() * endpoints.length)]!
    return other.active < one.active ? other : one
  }
}
