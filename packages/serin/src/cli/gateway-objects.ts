/** Everything the gateway reads, of a running serin, for questions about routes. */
import { GATEWAY_KINDS } from '../gateway-resources.ts'
import { apiVersionOf } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import type { Client } from './client.ts'

/** Kinds that the API does not have are left out. */
export async function gatewayObjects(client: Client): Promise<readonly KubeObject[]> {
  const lists = await Promise.all(
    GATEWAY_KINDS.map(async (kind) => {
      const list = await client.find<{ items: readonly KubeObject[] | null }>(pathOf(kind))
      return (list?.items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(kind), kind: kind.kind }))
    }),
  )
  return lists.flat()
}
