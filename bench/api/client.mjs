/** A plain client of a Kubernetes API: keep-alive, JSON, nothing clever; the same for every server that is measured. */
import { Agent, request } from 'node:https'

export class Client {
  #agent
  #server

  /** `server`: { host, port, ca, token }. */
  constructor(server, connections) {
    this.#server = server
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** Resolves with the body's text; rejects for a status of 300 and more. */
  ask(method, path, body, type = 'application/json') {
    const { host, port, ca, token } = this.#server
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host,
          port,
          path,
          method,
          agent: this.#agent,
          servername: 'localhost',
          ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
          headers: {
            authorization: `Bearer ${token}`,
            accept: 'application/json',
            ...(text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          let all = ''
          response.setEncoding('utf8').on('data', (chunk) => (all += chunk))
          response.on('end', () =>
            response.statusCode < 300 ? resolve(all) : reject(new Error(`${response.statusCode} ${all}`)),
          )
        },
      )
      sent.on('error', reject)
      sent.end(text)
    })
  }

  /** Calls back with every event's object; resolves with a function that ends the watch, once its head has come. */
  watch(path, onEvent) {
    const { host, port, ca, token } = this.#server
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host,
          port,
          path,
          agent: false,
          servername: 'localhost',
          ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
          headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
        },
        (response) => {
          let rest = ''
          response.setEncoding('utf8').on('data', (chunk) => {
            const lines = (rest + chunk).split('\n')
            rest = lines.pop()
            for (const line of lines) onEvent(line)
          })
          response.on('error', () => {})
          resolve(() => sent.destroy())
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  }

  close() {
    this.#agent.destroy()
  }
}

/** `count` tasks, `width` of them at a time: how many a second, and how long each took. */
export async function throughput(count, width, task) {
  const times = []
  let next = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) {
        const index = next
        next += 1
        const begun = performance.now()
        await task(index)
        times.push(performance.now() - begun)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  return { perSecond: count / seconds, ...quantiles(times) }
}

export function quantiles(times) {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50: at(0.5), p99: at(0.99) }
}
