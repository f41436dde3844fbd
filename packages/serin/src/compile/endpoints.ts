/** Services and EndpointSlices to addresses. */
import type { Endpoint } from '../model/cluster.ts'
import type { KubeObject } from '../resources/object.ts'
import { compareText, keyOf, namespaceOf } from './report.ts'

interface ServiceObject extends KubeObject {
  readonly spec?: {
    readonly type?: string
    readonly clusterIP?: string
    readonly externalName?: string
    readonly ports?: readonly ServicePort[]
  }
}

interface ServicePort {
  readonly name?: string
  readonly port: number
}

interface SliceObject extends KubeObject {
  readonly addressType?: string
  readonly endpoints?: readonly SliceEndpoint[] | null
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null
}

interface SliceEndpoint {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean }
  readonly targetRef?: { readonly kind?: string; readonly name?: string }
}

const SERVICE_LABEL = 'kubernetes.io/service-name'

/** One Service with its slices; kept from compile to compile while both are the same. */
export class ServiceEndpoints {
  readonly #service: ServiceObject
  readonly #slices: readonly SliceObject[]
  /** What was known before, by port. */
  readonly #before: ReadonlyMap<string, readonly Endpoint[]>
  readonly #byPort = new Map<string, readonly Endpoint[]>()

  /** `before`: what was known of the same Service, so that equal lists of endpoints stay the same list. */
  constructor(service: KubeObject, slices: readonly KubeObject[], before: ServiceEndpoints | undefined) {
    this.#service = service as ServiceObject
    this.#slices = slices as readonly SliceObject[]
    this.#before = before === undefined ? new Map() : before.#byPort
  }

  isOf(service: KubeObject, slices: readonly KubeObject[]): boolean {
    const same = (slice: KubeObject, index: number): boolean => slice === this.#slices[index]
    return service === this.#service && slices.length === this.#slices.length && slices.every(same)
  }

  /** Of type ExternalName: the name that stands for it. */
  get externalName(): string | undefined {
    const { type, externalName } = this.#service.spec ?? {}
    return type === 'ExternalName' ? externalName : undefined
  }

  get ports(): readonly ServicePort[] {
    return this.#service.spec?.ports ?? []
  }

  /** The ready endpoints of a port; undefined: the Service has no such port. `anyPort`: where it has one port only, that one. */
  at(port: number, anyPort: boolean): readonly Endpoint[] | undefined {
    const { ports } = this
    const found = ports.find((entry) => entry.port === port) ?? (anyPort && ports.length === 1 ? ports[0] : undefined)
    if (found === undefined && this.#service.spec?.clusterIP !== 'None') return undefined
    const key = found === undefined ? `:${port}` : (found.name ?? '')
    let endpoints = this.#byPort.get(key)
    if (endpoints === undefined) {
      endpoints = unlessEqual(this.#before.get(key), this.#read(found, port))
      this.#byPort.set(key, endpoints)
    }
    return endpoints
  }

  /** In the order of their ids, so that the order of slices does not matter. */
  #read(servicePort: ServicePort | undefined, literalPort: number): readonly Endpoint[] {
    const byId = new Map<string, Endpoint>()
    for (const slice of oneFamily(this.#slices)) {
      const named = (slice.ports ?? []).find((entry) => (entry.name ?? '') === (servicePort?.name ?? ''))
      const port = servicePort === undefined ? literalPort : named?.port
      if (port === undefined) continue
      for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
        if (conditions?.ready === false) continue
        const [address] = addresses
        if (address === undefined) continue
        const id = `${address}:${port}`
        const pod = targetRef?.kind === 'Pod' ? targetRef.name : undefined
        byId.set(id, { id, address, port, ...(pod !== undefined && { pod }) })
      }
    }
    return [...byId.values()].toSorted((left, right) => compareText(left.id, right.id))
  }
}

/** A Service with two families lists each pod twice; IPv4 is enough. Names (FQDN) are no addresses. */
function oneFamily(slices: readonly SliceObject[]): readonly SliceObject[] {
  const of = (family: string): readonly SliceObject[] =>
    slices.filter(({ addressType = 'IPv4' }) => addressType === family)
  const four = of('IPv4')
  return four.length > 0 ? four : of('IPv6')
}

function unlessEqual(before: readonly Endpoint[] | undefined, now: readonly Endpoint[]): readonly Endpoint[] {
  if (before?.length !== now.length) return now
  const same = before.every((endpoint, index) => endpoint.id === now[index]?.id && endpoint.pod === now[index]?.pod)
  return same ? before : now
}

/** All Services, with their slices. */
export class ServiceIndex {
  #services = new Map<string, ServiceEndpoints>()

  /** Takes the objects of a compile; what did not change stays. */
  update(services: readonly KubeObject[], slices: readonly KubeObject[]): void {
    const slicesOf = new Map<string, KubeObject[]>()
    for (const slice of slices) {
      const name = slice.metadata.labels?.[SERVICE_LABEL]
      if (name === undefined) continue
      const key = `${namespaceOf(slice)}/${name}`
      const list = slicesOf.get(key)
      if (list === undefined) slicesOf.set(key, [slice])
      else list.push(slice)
    }
    const next = new Map<string, ServiceEndpoints>()
    for (const service of services) {
      const key = keyOf(service)
      const before = this.#services.get(key)
      const own = slicesOf.get(key) ?? []
      next.set(key, before?.isOf(service, own) === true ? before : new ServiceEndpoints(service, own, before))
    }
    this.#services = next
  }

  get(key: string): ServiceEndpoints | undefined {
    return this.#services.get(key)
  }

  keys(): Iterable<string> {
    return this.#services.keys()
  }
}
