/** The columns that `kubectl get` shows, per kind, as a Kubernetes API server sends them (`meta.k8s.io/v1` Table). Pure. */
import type { KubeObject } from '../object.ts'
import type { Kind } from '../kinds.ts'
import { age } from './duration.ts'
import { eventCells } from './table-events.ts'
import { autoscalerCells } from './table-autoscaler.ts'
import {
  containers,
  labels,
  list,
  number,
  orNone,
  selector,
  shortened,
  size,
  text,
  type Cell,
  type Loose,
} from './loose.ts'
import { podCells } from './table-pods.ts'
import { endpointSliceCells, endpointsCells, nodeCells, servicePorts, serviceExternalAddress } from './table-network.ts'

export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly format: string
  readonly description: string
  /** 0: always shown; 1: with `-o wide`. */
  readonly priority: number
}

export interface Table {
  readonly columns: readonly Column[]
  cells(object: KubeObject, now: number): readonly Cell[]
}

const column = (name: string, options: Partial<Omit<Column, 'name'>> = {}): Column => ({
  name,
  type: 'string',
  format: '',
  description: '',
  priority: 0,
  ...options,
})

const NAME: Column = column('Name', { format: 'name' })
const AGE: Column = column('Age')
const wide = (name: string): Column => column(name, { priority: 1 })
const count = (name: string): Column => column(name, { type: 'integer' })

const created = (object: KubeObject, now: number): string => age(object.metadata.creationTimestamp, now)

/** A table from columns and what stands between the name and the end. */
function table(columns: readonly Column[], cells: (object: Loose, now: number, age: string) => readonly Cell[]): Table {
  return {
    columns: [NAME, ...columns],
    cells: (object, now) => [object.metadata.name, ...cells(object as unknown as Loose, now, created(object, now))],
  }
}

const TABLES: Readonly<Record<string, Table>> = {
  '/Namespace': table([column('Status'), AGE], (object, _now, since) => [text(object['status']?.['phase']), since]),
  '/ConfigMap': table([column('Data'), AGE], (object, _now, since) => [
    size(object['data']) + size(object['binaryData']),
    since,
  ]),
  '/Secret': table([column('Type'), column('Data'), AGE], (object, _now, since) => [
    text(object['type']),
    size(object['data']),
    since,
  ]),
  '/ServiceAccount': table([column('Secrets'), AGE], (object, _now, since) => [list(object['secrets']).length, since]),
  '/Pod': table(
    [
      column('Ready'),
      column('Status'),
      column('Restarts'),
      AGE,
      wide('IP'),
      wide('Node'),
      wide('Nominated Node'),
      wide('Readiness Gates'),
    ],
    podCells,
  ),
  '/Service': table(
    [column('Type'), column('Cluster-IP'), column('External-IP'), column('Port(s)'), AGE, wide('Selector')],
    (object, _now, since) => {
      const spec = object['spec']
      return [
        text(spec?.['type']),
        orNone(text(spec?.['clusterIP'])),
        serviceExternalAddress(object),
        orNone(servicePorts(object)),
        since,
        labels(spec?.['selector']),
      ]
    },
  ),
  '/Endpoints': table([column('Endpoints'), AGE], (object, _now, since) => [endpointsCells(object), since]),
  '/Node': table(
    [
      column('Status'),
      column('Roles'),
      AGE,
      column('Version'),
      wide('Internal-IP'),
      wide('External-IP'),
      wide('OS-Image'),
      wide('Kernel-Version'),
      wide('Container-Runtime'),
    ],
    nodeCells,
  ),
  '/Event': {
    columns: [
      column('Last Seen'),
      column('Type'),
      column('Reason'),
      column('Object'),
      wide('Subobject'),
      wide('Source'),
      column('Message'),
      wide('First Seen'),
      wide('Count'),
      column('Name', { format: 'name', priority: 1 }),
    ],
    cells: (object, now) => eventCells(object as unknown as Loose, now),
  },
  'apps/Deployment': table(
    [
      column('Ready'),
      column('Up-to-date'),
      column('Available'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    (object, _now, since) => {
      const { spec, status } = object
      return [
        `${number(status?.['readyReplicas'])}/${number(spec?.['replicas'])}`,
        number(status?.['updatedReplicas']),
        number(status?.['availableReplicas']),
        since,
        ...containers(spec),
        selector(spec?.['selector']),
      ]
    },
  ),
  'apps/ReplicaSet': table(
    [count('Desired'), count('Current'), count('Ready'), AGE, wide('Containers'), wide('Images'), wide('Selector')],
    (object, _now, since) => {
      const { spec, status } = object
      return [
        number(spec?.['replicas']),
        number(status?.['replicas']),
        number(status?.['readyReplicas']),
        since,
        ...containers(spec),
        selector(spec?.['selector']),
      ]
    },
  ),
  'discovery.k8s.io/EndpointSlice': table(
    [column('AddressType'), column('Ports'), column('Endpoints'), AGE],
    (object, _now, since) => [...endpointSliceCells(object), since],
  ),
  'coordination.k8s.io/Lease': table([column('Holder'), AGE], (object, _now, since) => [
    text(object['spec']?.['holderIdentity']),
    since,
  ]),
  'autoscaling/HorizontalPodAutoscaler': table(
    [column('Reference'), column('Targets'), column('MinPods'), column('MaxPods'), column('Replicas'), AGE],
    (object, _now, since) => [...autoscalerCells(object), since],
  ),
  'apiextensions.k8s.io/CustomResourceDefinition': {
    columns: [NAME, column('Created At', { type: 'date' })],
    cells: (object) => [object.metadata.name, object.metadata.creationTimestamp ?? ''],
  },
  'networking.k8s.io/Ingress': table(
    [column('Class'), column('Hosts'), column('Address'), column('Ports'), AGE],
    (object, _now, since) => {
      const { spec, status } = object
      const hosts = list(spec?.['rules'])
        .map((rule) => text(rule['host']))
        .filter((host) => host !== '')
      const addresses = list(status?.['loadBalancer']?.['ingress']).map(
        (entry) => text(entry['ip']) || text(entry['hostname']),
      )
      return [
        orNone(text(spec?.['ingressClassName'])),
        hosts.length === 0 ? '*' : shortened(hosts),
        addresses.join(','),
        list(spec?.['tls']).length === 0 ? '80' : '80, 443',
        since,
      ]
    },
  ),
  'networking.k8s.io/IngressClass': table([column('Controller'), column('Parameters'), AGE], (object, _now, since) => {
    const parameters = object['spec']?.['parameters']
    const group = text(parameters?.['apiGroup'])
    return [
      text(object['spec']?.['controller']),
      parameters === undefined
        ? '<none>'
        : `${text(parameters['kind'])}${group === '' ? '' : `.${group}`}/${text(parameters['name'])}`,
      since,
    ]
  }),
  'getambassador.io/Mapping': custom([
    ['Source Host', (spec) => text(spec?.['hostname']) || text(spec?.['host'])],
    ['Source Prefix', (spec) => text(spec?.['prefix'])],
    ['Dest Service', (spec) => text(spec?.['service'])],
    ['Weight', (spec) => text(spec?.['weight'])],
  ]),
  'getambassador.io/Host': custom([['Hostname', (spec) => text(spec?.['hostname'])]]),
  'getambassador.io/Listener': custom([
    ['Port', (spec) => text(spec?.['port'])],
    ['Protocol', (spec) => text(spec?.['protocol'])],
  ]),
}

/** Of kinds that Kubernetes knows as custom resources: `Age` is a date, which the client prints as an age. */
const CUSTOM: Table = custom([])

/** Columns of our own are for `-o wide`: without it the table is that of a definition without columns. */
function custom(own: readonly (readonly [string, (spec: Loose | undefined) => string])[]): Table {
  return {
    columns: [NAME, column('Age', { type: 'date' }), ...own.map(([name]) => wide(name))],
    cells: (object, now) => [
      object.metadata.name,
      created(object, now),
      ...own.map(([, cell]) => cell((object as unknown as Loose)['spec'])),
    ],
  }
}

export function tableOf(kind: Kind): Table {
  return TABLES[`${kind.group}/${kind.kind}`] ?? CUSTOM
}
