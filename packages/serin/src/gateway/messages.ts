/** What the supervisor and its workers tell each other. JSON; a listening handle travels beside `listen`. */
import type { Cluster } from '../model/cluster.ts'
import type { Changes } from '../model/diff.ts'
import type { Listener, VirtualHost } from '../model/listener.ts'
import type { Route, TcpRoute } from '../model/route.ts'
import type { Settings } from '../model/settings.ts'
import type { Sample } from '../metrics/sample.ts'
import type { Limits } from '../wire/limits.ts'
import type { WorkerPlace } from './split.ts'

/** To a worker. A change of the Plan comes as one `plan-begin`, any number of `plan-routes`, and one `plan-commit`. */
export type ToWorker =
  | {
      readonly kind: 'configure'
      readonly place: WorkerPlace
      readonly limits: Limits
      /** File of the access log, or 1 for standard output. */
      readonly accessLog: string | number | null
    }
  | {
      readonly kind: 'plan-begin'
      readonly clusters: Changes<Cluster>
      readonly removedRoutes: readonly string[]
    }
  | { readonly kind: 'plan-routes'; readonly at: number; readonly routes: readonly Route[] }
  | {
      readonly kind: 'plan-commit'
      readonly revision: number
      readonly listeners: Changes<Listener>
      readonly virtualHosts: Changes<VirtualHost>
      readonly tcpRoutes: Changes<TcpRoute>
      readonly settings?: Settings
    }
  /** The handle comes with it. */
  | { readonly kind: 'listen'; readonly name: string; readonly port: number }
  | { readonly kind: 'unlisten'; readonly name: string }
  | { readonly kind: 'collect'; readonly id: number }
  | { readonly kind: 'reopen-log' }
  | { readonly kind: 'drain'; readonly withinMs: number }

/** From a worker. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** The piece with this number has been taken. */
  | { readonly kind: 'plan-progress'; readonly at: number }
  | { readonly kind: 'applied'; readonly revision: number }
  | { readonly kind: 'listening'; readonly name: string; readonly error: string | null }
  /** `id` of the request, or -1 where the worker tells by itself. */
  | { readonly kind: 'sample'; readonly id: number; readonly sample: Sample; readonly connections: number }
  | { readonly kind: 'drained' }
