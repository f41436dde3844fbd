/** One gateway and its echo servers, through which cases go one after the other. */
import { createServer } from 'node:net'
import { parseAllDocuments } from 'yaml'
import { createCompiler } from '../../src/compile/compile.ts'
import { type Gateway, startGateway } from '../../src/gateway/supervisor.ts'
import type { Cluster } from '../../src/model/cluster.ts'
import type { Snapshot } from '../../src/model/snapshot.ts'
import type { KubeObject } from '../../src/resources/object.ts'
import { type Case, type CaseRequest, type Expectation, servicesOf } from './case.ts'
import { type Answer, ConnectionFailure, octetsOf, RawConnection, valueOf } from './client.ts'
import { compare, compareMany, type Outcome, type Sample } from './compare.ts'
import { EchoPool, type EchoRecord } from './echo.ts'

/** Nobody listens there. */
const CLOSED_PORT = 1
/** Shares are compared on this many answers, with the bound that belongs to the number. */
const REPEAT_MAX = 400
/** A shadow, or an attempt whose answer nobody waits for, arrives soon. */
const STRAGGLER_MS_MAX = 2000
const CLIENT = '127.0.0.1'

export class Lane {
  readonly #gateway: Gateway
  readonly #address: string
  /** Added to the ports that cases name: another program may listen on all addresses. */
  readonly #portOffset: number
  readonly #pool = new EchoPool()
  #revision = 0

  private constructor(gateway: Gateway, address: string, portOffset: number) {
    this.#portOffset = portOffset
    this.#gateway = gateway
    this.#address = address
  }

  /** Each lane has an address of its own, so that all can listen on the ports that the cases name. */
  static async start(address: string): Promise<Lane> {
    return new Lane(await startGateway({ workers: 1, bind: address }), address, await freeOffset(address))
  }

  async stop(): Promise<void> {
    await this.#gateway.drain({ withinMs: 100 })
    await this.#pool.stop()
  }

  /** What differs from the recording, a sentence each. */
  async run(testCase: Case): Promise<string[]> {
    this.#pool.reset()
    const resources = readObjects(testCase.resources)
    const addresses = await this.#startServices(testCase, servicesIn(resources))
    const objects = [...resources, ...serviceObjects(addresses)]
    const { snapshot } = createCompiler().compile({ objects })
    const applied = await this.#gateway.apply(this.#localized(snapshot, addresses))
    const unbound = applied.listening.find(({ error }) => error !== undefined)
    if (unbound !== undefined) throw new Error(`cannot listen on ${unbound.address}:${unbound.port}: ${unbound.error}`)
    const problems: string[] = []
    for (const [index, request] of testCase.requests.entries()) {
      const expected = testCase.expect[index]
      const found =
        expected == null ? await this.#survives(request, snapshot) : await this.#compareOne(testCase, request, expected)
      problems.push(...found.map((problem) => `${describe(request)}: ${problem}`))
    }
    return problems
  }

  async #startServices(testCase: Case, inResources: readonly string[]): Promise<Map<string, readonly number[]>> {
    const addresses = new Map<string, readonly number[]>()
    for (const name of new Set([...servicesOf(testCase), ...inResources])) {
      const wanted = testCase.endpoints?.[name] ?? 1
      if (wanted === 'refused') addresses.set(name, [CLOSED_PORT])
      else {
        const isTls = wantsTls(testCase, name)
        const servers = await Promise.all(
          Array.from({ length: wanted }, (_, instance) => this.#pool.take(name, instance, isTls)),
        )
        addresses.set(
          name,
          servers.map(({ port }) => port),
        )
      }
    }
    return addresses
  }

  /** Names that no Service can have resolve to the echo servers too; each case is a new revision. */
  #localized(snapshot: Snapshot, addresses: ReadonlyMap<string, readonly number[]>): Snapshot {
    const clusters = snapshot.clusters.map((cluster): Cluster => {
      if (cluster.source.kind !== 'dns') return cluster
      const ports = addresses.get(`${cluster.source.hostname}:${cluster.source.port}`) ?? []
      return { ...cluster, source: { kind: 'endpoints', endpoints: ports.map(endpointAt) } }
    })
    const moved = <T extends { readonly port: number }>(item: T): T => ({ ...item, port: item.port + this.#portOffset })
    const [listeners, tcpRoutes] = [snapshot.listeners.map(moved), snapshot.tcpRoutes.map(moved)]
    return { ...snapshot, listeners, tcpRoutes, clusters, revision: ++this.#revision }
  }

  async #compareOne(testCase: Case, request: CaseRequest, expected: Expectation): Promise<string[]> {
    const start = this.#pool.records.length
    if (request.repeat !== undefined || request.parallel !== undefined)
      return this.#compareMany(request, expected, start)
    const outcome = await this.#once(request, expected, start)
    return compare(expected, outcome, /^module-0(?:09|10|11)$/.test(testCase.id))
  }

  async #once(request: CaseRequest, expected: Expectation, start: number): Promise<Outcome> {
    let connection: RawConnection | undefined
    try {
      connection = await this.#open(request)
      const begin = performance.now()
      const answer = await connection.exchange(octetsOf(request, 0), request.method ?? 'GET')
      const tookMs = performance.now() - begin
      const echoed = request.send === undefined ? undefined : await connection.echo(request.send)
      await this.#stragglers(expected, start)
      const records = this.#pool.records.slice(start)
      const record = this.#recordOf(answer)
      const bodyFrom = record?.service ?? serviceIn(answer.body)
      // The answer of an auth service that refuses is passed on; the request never had an upstream.
      const refused = expected.body_from !== undefined
      return {
        status: answer.status,
        headers: answer.headers,
        body: answer.body,
        upstream: refused ? null : (record ?? null),
        records,
        tookMs,
        ...(bodyFrom !== undefined && { bodyFrom }),
        ...(request.tls !== undefined && { session: connection.session }),
        ...(echoed !== undefined && { echoed }),
      }
    } catch (error) {
      if (error instanceof ConnectionFailure) return { error: error.kind, records: this.#pool.records.slice(start) }
      throw error
    } finally {
      connection?.close()
    }
  }

  #open(request: CaseRequest): Promise<RawConnection> {
    return RawConnection.open({
      host: this.#address,
      port: (request.port ?? 8080) + this.#portOffset,
      source: request.source ?? CLIENT,
      ...(request.tls !== undefined && { tls: request.tls }),
    })
  }

  #recordOf(answer: Answer): EchoRecord | undefined {
    const index = valueOf(answer.headers, 'x-echo-record')
    return index === undefined ? undefined : this.#pool.records[Number(index)]
  }

  async #stragglers(expected: Expectation, start: number): Promise<void> {
    const others = expected.received ?? expected.mirrored ?? []
    const wanted = others.length + (expected.upstream == null ? 0 : 1)
    const deadline = performance.now() + STRAGGLER_MS_MAX
    while (this.#pool.records.length - start < wanted && performance.now() < deadline) await this.#pool.sleep(5)
  }

  async #compareMany(request: CaseRequest, expected: Expectation, start: number): Promise<string[]> {
    const answers =
      request.parallel === undefined ? await this.#repeat(request) : await this.#parallel(request, request.parallel)
    const samples = answers.map((answer) => this.#sampleOf(answer))
    const problems = compareMany(request, expected, samples, request.parallel !== undefined)
    const mirrors = Object.entries(expected.mirrored_count ?? {})
    for (const [service, count] of mirrors) {
      const deadline = performance.now() + STRAGGLER_MS_MAX
      const got = (): number => this.#pool.records.slice(start).filter((record) => record.service === service).length
      while (got() < count && performance.now() < deadline) await this.#pool.sleep(5)
      if (got() !== count) problems.push(`${got()} requests at ${service}, recorded ${count}`)
    }
    if (expected.upstream_requests !== undefined && this.#pool.records.length - start !== expected.upstream_requests) {
      problems.push(`${this.#pool.records.length - start} upstream requests, recorded ${expected.upstream_requests}`)
    }
    return problems
  }

  async #repeat(request: CaseRequest): Promise<Answer[]> {
    const count = request.by_instance === true ? request.repeat! : Math.min(request.repeat!, REPEAT_MAX)
    const answers: Answer[] = []
    let connection: RawConnection | undefined
    for (let index = 0; index < count; index++) {
      connection ??= await this.#open(request)
      const answer = await connection.exchange(octetsOf(request, index), request.method ?? 'GET')
      answers.push(answer)
      if (request.new_connection === true || valueOf(answer.headers, 'connection') === 'close') {
        connection.close()
        connection = undefined
      }
    }
    connection?.close()
    return answers
  }

  async #parallel(request: CaseRequest, count: number): Promise<Answer[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const connection = await this.#open(request)
        try {
          return await connection.exchange(octetsOf(request, index), request.method ?? 'GET')
        } finally {
          connection.close()
        }
      }),
    )
  }

  #sampleOf(answer: Answer): Sample {
    const record = this.#recordOf(answer)
    const responseHeaders = Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value]))
    return {
      status: answer.status,
      requestHeaders: Object.fromEntries(
        Object.entries(record?.headers ?? {}).map(([name, values]) => [name, values.join(',')]),
      ),
      responseHeaders,
      ...(record !== undefined && { service: record.service, path: record.path, instance: record.instance }),
    }
  }

  /** Of a set that Emissary refused as a whole: the gateway answers something. */
  async #survives(request: CaseRequest, { listeners }: Snapshot): Promise<string[]> {
    const outcome = await this.#once({ ...request }, {}, this.#pool.records.length)
    const listens = listeners.some(({ port }) => port === (request.port ?? 8080))
    return outcome.status !== undefined || !listens ? [] : [`no answer: ${outcome.error}`]
  }
}

/** An answer that is passed on without our own field still says whose it is. */
function serviceIn(body: string): string | undefined {
  return /^\{"service":"([^"]+)"/.exec(body)?.[1]
}

/** Ports that cases name. */
const CASE_PORTS = [8080, 8081, 8082, 8083, 8090, 8443, 9000]
const OFFSETS = [0, 10_000, 20_000, 30_000, 40_000]

async function freeOffset(address: string): Promise<number> {
  for (const offset of OFFSETS) {
    const free = await Promise.all(CASE_PORTS.map((port) => isFree(address, port + offset)))
    if (free.every(Boolean)) return offset
  }
  throw new Error(`no ports are free on ${address}`)
}

async function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, address, () => server.close(() => resolve(true)))
  })
}

function describe({ method = 'GET', path = '', headers = [] }: CaseRequest): string {
  return `${method} ${path.slice(0, 80)}${headers.map(([name, value]) => ` ${name}: ${value}`.slice(0, 80)).join('')}`
}

function wantsTls({ expect }: Case, name: string): boolean {
  return expect.some((entry) => entry?.upstream?.service === name && entry.upstream.tls === true)
}

/** Also those that no request was recorded at. */
function servicesIn(objects: readonly KubeObject[]): string[] {
  const { groups } = createCompiler().compile({ objects })
  return groups.flatMap(({ shares }) =>
    shares.flatMap(({ plan: { role } }) =>
      role.kind === 'forward' ? [`${role.cluster.service.host}:${role.cluster.service.port}`] : [],
    ),
  )
}

/** Documents that are YAML; one that is not is left out, as `serin apply` leaves it out. */
export function readObjects(resources: string): KubeObject[] {
  const documents = parseAllDocuments(resources)
  if (!Array.isArray(documents)) return []
  return documents
    .filter(({ errors }) => errors.length === 0)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null)
}

function endpointAt(port: number): { id: string; address: string; port: number } {
  return { id: `127.0.0.1:${port}`, address: '127.0.0.1', port }
}

/** A Service for each `host[.namespace]`, with one EndpointSlice a port and server. */
function serviceObjects(addresses: ReadonlyMap<string, readonly number[]>): KubeObject[] {
  const services = new Map<string, Map<number, readonly number[]>>()
  for (const [name, ports] of addresses) {
    const [host = '', port = ''] = name.split(':')
    const ofHost = services.get(host)
    if (ofHost === undefined) services.set(host, new Map([[Number(port), ports]]))
    else ofHost.set(Number(port), ports)
  }
  return [...services].flatMap(([host, ports]) => {
    const [name = '', namespace = 'default'] = host.replace(/\.$/, '').split('.')
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { ports: [...ports.keys()].map((port) => ({ name: `p${port}`, port })) },
    }
    const slices = [...ports].flatMap(([port, servers]) =>
      servers.map((server, index) => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-${port}-${index}`, namespace, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: `p${port}`, port: server }],
        endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      })),
    )
    return [service, ...slices]
  })
}
