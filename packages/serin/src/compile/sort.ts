/** All objects by kind: those that are ours, each name once, older forms and Ingresses turned into Mappings and Hosts. */
import { ANNOTATED_KINDS, annotationResources, CONFIG_ANNOTATION, convertOlder } from '../resources/ambassador/older.ts'
import type { Diagnostic } from '../resources/diagnostic.ts'
import { EndpointSlice, findKind, Ingress, IngressClass, type Kind, Secret, Service } from '../resources/kinds.ts'
import type { KubeObject } from '../resources/object.ts'
import { withoutMistakes } from '../resources/prune.ts'
import { INGRESS_CONTROLLER, ingressResources, isOurIngress, type PortLookup } from './ingress.ts'
import { keyOf, namespaceOf, originOf, Report } from './report.ts'

export interface SortedObjects {
  readonly objects: ReadonlyMap<Kind, readonly KubeObject[]>
  readonly diagnostics: readonly Diagnostic[]
}

/** Remembers what it made of an object, so that unchanged objects stay the same objects. */
export class Sorter {
  readonly #ambassadorId: string
  readonly #converted = new WeakMap<KubeObject, KubeObject | undefined>()
  readonly #annotated = new WeakMap<KubeObject, ReturnType<typeof annotationResources>>()
  readonly #ingresses = new WeakMap<KubeObject, { readonly ports: string; readonly objects: readonly KubeObject[] }>()

  constructor(ambassadorId: string) {
    this.#ambassadorId = ambassadorId
  }

  /** Of two objects of one kind, namespace and name the first counts, as in Emissary; from a store there are never two. */
  sort(all: readonly KubeObject[]): SortedObjects {
    const sorting = new Sorting(this.#ambassadorId)
    for (const object of all) sorting.add(object, (kind, given) => this.#convert(kind, given))
    for (const kind of ANNOTATED_KINDS) {
      for (const owner of sorting.of(kind))
        if (owner.metadata.annotations?.[CONFIG_ANNOTATION] !== undefined) this.#addAnnotation(owner, sorting)
    }
    this.#addIngresses(sorting)
    return { objects: sorting.objects, diagnostics: sorting.diagnostics }
  }

  /** Ambassador's kinds are checked where they are read; of the others, a server has checked what did not come from a file. */
  #convert(kind: Kind, object: KubeObject): KubeObject | undefined {
    if (kind.group === GROUP && object.apiVersion.endsWith(kind.version)) return object
    if (!READ_KINDS.includes(kind) && kind.group !== GROUP) return undefined
    if (this.#converted.has(object)) return this.#converted.get(object)
    const converted = kind.group === GROUP ? convertOlder(object) : withoutMistakes(kind, object)
    this.#converted.set(object, converted)
    return converted
  }

  #addAnnotation(owner: KubeObject, sorting: Sorting): void {
    let read = this.#annotated.get(owner)
    if (read === undefined) this.#annotated.set(owner, (read = annotationResources(owner)))
    const report = new Report(originOf(owner))
    const path = ['metadata', 'annotations', CONFIG_ANNOTATION]
    for (const problem of read.problems) report.error('annotation', problem, { path })
    sorting.diagnostics.push(...report.diagnostics)
    for (const object of read.objects) sorting.add(object)
  }

  #addIngresses(sorting: Sorting): void {
    const ingresses = sorting.of(Ingress)
    if (ingresses.length === 0) return
    const classes = new Set(
      sorting
        .of(IngressClass)
        .filter(isOurClass)
        .map(({ metadata }) => metadata.name),
    )
    const services = new Map(sorting.of(Service).map((service) => [keyOf(service), service]))
    for (const ingress of ingresses) {
      if (!isOurIngress(ingress, classes)) continue
      for (const object of this.#ingressObjects(ingress, services)) sorting.add(object)
    }
  }

  /** Made anew only when the Ingress, or a port number that it names, changes. */
  #ingressObjects(ingress: KubeObject, services: ReadonlyMap<string, KubeObject>): readonly KubeObject[] {
    const asked: (number | undefined)[] = []
    const portOf: PortLookup = (namespace, name, port) => {
      const number = portNumber(services.get(`${namespace}/${name}`), port)
      asked.push(number)
      return number
    }
    const objects = ingressResources(ingress, portOf)
    const ports = asked.join()
    const before = this.#ingresses.get(ingress)
    if (before?.ports === ports) return before.objects
    this.#ingresses.set(ingress, { ports, objects })
    return objects
  }
}

function isOurClass(object: KubeObject): boolean {
  return (object.spec as { controller?: string } | undefined)?.controller === INGRESS_CONTROLLER
}

function portNumber(service: KubeObject | undefined, name: string): number | undefined {
  const { ports = [] } = (service?.spec ?? {}) as { ports?: readonly { name?: string; port: number }[] }
  return ports.find((port) => port.name === name)?.port
}

const GROUP = 'getambassador.io'
/** What the compiler reads beside Ambassador's kinds. */
const READ_KINDS: readonly Kind[] = [Service, EndpointSlice, Secret, Ingress, IngressClass]

type Convert = (kind: Kind, object: KubeObject) => KubeObject | undefined

const kinds = new Map<string, Map<string, Kind | undefined>>()
/** Names that no kind has are not remembered beyond this. */
const KINDS_MAX = 1000

function kindOf({ apiVersion, kind }: KubeObject): Kind | undefined {
  let ofVersion = kinds.get(apiVersion)
  if (ofVersion === undefined) {
    if (kinds.size > KINDS_MAX) kinds.clear()
    kinds.set(apiVersion, (ofVersion = new Map()))
  }
  if (ofVersion.has(kind)) return ofVersion.get(kind)
  if (ofVersion.size > KINDS_MAX) ofVersion.clear()
  const found = findKind(apiVersion, kind)
  ofVersion.set(kind, found)
  return found
}

class Sorting {
  readonly objects = new Map<Kind, KubeObject[]>()
  readonly diagnostics: Diagnostic[] = []
  readonly #ambassadorId: string
  readonly #names = new Map<Kind, Set<string>>()

  constructor(ambassadorId: string) {
    this.#ambassadorId = ambassadorId
  }

  of(kind: Kind): readonly KubeObject[] {
    return this.objects.get(kind) ?? []
  }

  add(given: KubeObject, convert: Convert = (_, object) => object): void {
    const kind = kindOf(given)
    // A store names everything; a file may not.
    if (kind === undefined || typeof given.metadata?.name !== 'string') return
    const object = convert(kind, given)
    if (object === undefined) return
    if (!this.#isOurs(kind, object)) return
    let names = this.#names.get(kind)
    if (names === undefined) this.#names.set(kind, (names = new Set()))
    const key = keyOf(object)
    if (names.has(key)) return this.#reportDuplicate(kind, object)
    names.add(key)
    const list = this.objects.get(kind)
    if (list === undefined) this.objects.set(kind, [object])
    else list.push(object)
  }

  #reportDuplicate(kind: Kind, object: KubeObject): void {
    const report = new Report(originOf(object))
    report.error(
      'duplicate',
      `a second ${kind.kind} "${object.metadata.name}" in namespace ${namespaceOf(object)}; the first one counts`,
      {
        path: ['metadata', 'name'],
      },
    )
    this.diagnostics.push(...report.diagnostics)
  }

  /** `ambassador_id` names it, or `_automatic_`; without one it is for `default`; an empty list is for nobody. */
  #isOurs(kind: Kind, object: KubeObject): boolean {
    if (kind.group !== GROUP) return true
    const ids = (object.spec as { ambassador_id?: unknown } | undefined)?.ambassador_id ?? 'default'
    const list: unknown[] = Array.isArray(ids) ? ids : [ids]
    return list.includes(this.#ambassadorId) || list.includes('_automatic_')
  }
}
