/**
 * What is measured. A case has a setting that every proxy is started with, and loads that are put on it one after the other.
 * `compare` says which figure is put beside the goal.
 */
import { patches } from './patch.mjs'
import { idleConnections, swaps } from './special.mjs'

const WHOLE = { log: false, routes: 1, workers: 1, close: false, bodies: false, idle: false }
const PATH = '/helloworld/'

/** Loads with bodies: 16 kB and 1 MB, up and down, with a length and in chunks. */
function bodies() {
  const loads = []
  for (const [size, octets, connections] of [
    ['16 kB', 16_384, 32],
    ['1 MB', 1_048_576, 8],
  ]) {
    for (const chunked of [false, true]) {
      const how = chunked ? 'chunked' : 'Content-Length'
      const target = `${PATH}${octets === 16_384 ? '16k' : '1m'}${chunked ? '?chunked' : ''}`
      loads.push({ name: `${size} down, ${how}`, path: target, connections })
      loads.push({ name: `${size} up, ${how}`, path: PATH, body: octets, chunked, connections })
    }
  }
  return loads
}

export const CASES = [
  {
    id: 'keepalive',
    title: 'Keep-alive, 25-octet answer, rewrite and 10 % split, 64 clients',
    goal: 'CPU ≤ 1.1 × nginx, ≤ 0.5 × Envoy, ≤ 0.25 × Caddy',
    setting: WHOLE,
    loads: [{ name: 'full load', path: PATH, connections: 64 }],
  },
  {
    id: 'log',
    title: 'The same with the access log on',
    goal: 'within the same bound',
    setting: { ...WHOLE, log: true },
    reference: { name: 'without a log', setting: { log: false } },
    loads: [{ name: 'full load', path: PATH, connections: 64 }],
  },
  {
    id: 'routes',
    title: '10,000 routes, requests to the last',
    goal: '≤ 1.1 × its own cost with one route',
    setting: { ...WHOLE, routes: 10_000 },
    reference: { name: 'one route', setting: { routes: 1 } },
    loads: [{ name: 'full load', path: PATH, connections: 64 }],
  },
  {
    id: 'bodies',
    title: 'Bodies',
    goal: 'CPU ≤ 1.3 × nginx; memory flat',
    setting: { ...WHOLE, bodies: true },
    loads: bodies(),
  },
  {
    id: 'connections',
    title: 'One connection per request',
    goal: 'CPU ≤ 1.3 × nginx',
    setting: { ...WHOLE, close: true },
    loads: [{ name: 'full load', path: PATH, connections: 32, close: true }],
  },
  {
    id: 'latency',
    title: 'Latency at half of its own full load',
    goal: 'p99 ≤ 1.5 × nginx',
    setting: WHOLE,
    loads: [{ name: 'half load', path: PATH, connections: 64, half: true }],
  },
  {
    id: 'workers',
    title: 'Two workers on two cores',
    goal: '≥ 1.8 × one worker',
    setting: { ...WHOLE, workers: 2 },
    reference: { name: 'one worker', setting: { workers: 1 } },
    loads: [{ name: 'full load', path: PATH, connections: 64 }],
  },
  {
    id: 'idle',
    title: 'Idle connections',
    goal: '< 10 kB each',
    setting: { ...WHOLE, idle: true },
    loads: [],
    special: idleConnections,
  },
  {
    id: 'swap',
    title: '5,000 Mappings compiled and swapped in',
    goal: '< 200 ms; one changed of 5,000 < 20 ms; no latency > 20 ms in traffic meanwhile',
    setting: WHOLE,
    loads: [],
    alone: true,
    special: swaps,
  },
  {
    id: 'patch',
    title: 'A weight, patched through the API, to every worker',
    goal: 'p99 < 10 ms over 1,000 changes under load, no failed request',
    setting: WHOLE,
    loads: [],
    alone: true,
    special: patches,
  },
]
