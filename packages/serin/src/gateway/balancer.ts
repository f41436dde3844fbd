/** How an endpoint is chosen where it is not simply the next one. */
import type { Balance } from '../model/cluster.ts'
import { HashBalancer, randomOne } from './hash-balancer.ts'
import { LeastRequest } from './least-request.ts'
import type { EndpointState } from './endpoint.ts'

export interface Balancer {
  /** `endpoints` has at least one member and is a new array when one of them changed. `hash` is -1 where there is none. */
  pick(endpoints: readonly EndpointState[], hash: number): EndpointState
}

/** Null: round robin, which needs none. */
export function balancerFor(balance: Balance): Balancer | null {
  switch (balance) {
    case 'round-robin':
      return null
    case 'random':
      return { pick: randomOne }
    case 'least-request':
      return new LeastRequest()
    case 'ring-hash':
    case 'maglev':
      return new HashBalancer(balance)
  }
}
