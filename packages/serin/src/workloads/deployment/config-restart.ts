import type { Container, DeploymentObject, PodSpec } from '../../resources/kubernetes/types.ts'
import { keyOf, parseKey } from '../cache.ts'
import { canonicalText, safeHash } from '../canonical.ts'
import { WorkQueue } from '../queue.ts'
import { isOrdinary, messageOf, type Controller, type Room } from '../room.ts'
import { CONFIG_HASH } from './revisions.ts'

/**
 * A pod template with `serin.dev/restart-on-config-change: "true"` is rolled out anew when a ConfigMap or Secret that it names changes. What the
 * configuration was is kept as a hash in an annotation of the Deployment; a change writes the hash into the template, which is a rollout.
 */
const WISH = 'serin.dev/restart-on-config-change'

export function startConfigRestarts(room: Room): Controller {
  const queue = new WorkQueue({
    sync: (key) => syncDeployment(room, key),
    onError: (key, error) => {
      if (!isOrdinary(error)) room.log('warn', `configuration of deployment ${key}: ${messageOf(error)}`)
    },
  })
  room.deployments.onChange(({ type, object }) => {
    if (type !== 'DELETED' && isWished(object)) queue.add(keyOf(object))
  })
  for (const cache of [room.configMaps, room.secrets]) {
    cache.onChange(({ object }) => {
      for (const deployment of room.deployments.list(object.metadata.namespace)) {
        if (isWished(deployment)) queue.add(keyOf(deployment))
      }
    })
  }
  return { stop: () => queue.stop(), isIdleIn: (namespace) => queue.isIdleIn(namespace) }
}

function isWished({ spec }: DeploymentObject): boolean {
  return spec.template.metadata?.annotations?.[WISH] === 'true'
}

async function syncDeployment(room: Room, key: string): Promise<undefined> {
  await room.deployments.caughtUp()
  const deployment = room.deployments.get(parseKey(key))
  if (deployment === undefined || !isWished(deployment) || deployment.metadata.deletionTimestamp !== undefined) return
  const hash = configurationHash(room, deployment)
  const before = deployment.metadata.annotations?.[CONFIG_HASH]
  if (hash === undefined || hash === before) return
  const annotations = { [CONFIG_HASH]: hash }
  const template = before === undefined ? {} : { spec: { template: { metadata: { annotations } } } }
  await room.deployments.merge(parseKey(key), { metadata: { annotations }, ...template })
}

/** Undefined while something that the pods need is not there yet: its coming is no change. */
function configurationHash(room: Room, { metadata, spec }: DeploymentObject): string | undefined {
  const namespace = metadata.namespace ?? ''
  const { configMaps, secrets } = namedBy(spec.template.spec)
  const found = [
    ...configMaps.map((reference) => ({ reference, object: room.configMaps.get({ namespace, name: reference.name }) })),
    ...secrets.map((reference) => ({ reference, object: room.secrets.get({ namespace, name: reference.name }) })),
  ]
  if (found.some(({ reference, object }) => object === undefined && !reference.optional)) return undefined
  return safeHash(
    canonicalText(
      found.map(({ object }) => [
        object?.data,
        object !== undefined && 'binaryData' in object ? object.binaryData : undefined,
      ]),
    ),
  )
}

interface Reference {
  readonly name: string
  readonly optional: boolean
}

function namedBy(spec: PodSpec): { readonly configMaps: readonly Reference[]; readonly secrets: readonly Reference[] } {
  const containers = [...(spec.initContainers ?? []), ...spec.containers]
  const reference = ({ name, optional }: { name: string; optional?: boolean }): Reference => ({
    name,
    optional: optional === true,
  })
  const sources = containers.flatMap(sourcesOf)
  const volumes = spec.volumes ?? []
  return {
    configMaps: [
      ...sources.flatMap(({ configMap }) => (configMap === undefined ? [] : reference(configMap))),
      ...volumes.flatMap(({ configMap }) => (configMap === undefined ? [] : reference(configMap))),
    ],
    secrets: [
      ...sources.flatMap(({ secret }) => (secret === undefined ? [] : reference(secret))),
      ...volumes.flatMap(({ secret }) =>
        secret === undefined ? [] : reference({ ...secret, name: secret.secretName }),
      ),
    ],
  }
}

interface Source {
  readonly configMap: { name: string; optional?: boolean } | undefined
  readonly secret: { name: string; optional?: boolean } | undefined
}

function sourcesOf({ env = [], envFrom = [] }: Container): readonly Source[] {
  return [
    ...envFrom.map(({ configMapRef, secretRef }) => ({ configMap: configMapRef, secret: secretRef })),
    ...env.map(({ valueFrom }) => ({ configMap: valueFrom?.configMapKeyRef, secret: valueFrom?.secretKeyRef })),
  ]
}
