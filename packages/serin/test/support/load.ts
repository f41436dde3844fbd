/** Steady load from keep-alive connections or one connection per request, noting every failure. */
import http from 'node:http'

export interface LoadResult {
  requests: number
  readonly failures: string[]
  /** How often each value of `x-version` was seen. */
  readonly versions: Map<string, number>
}

/** One request; resolves with status, headers and body. */
export function get(
  port: number,
  path: string,
  options: http.RequestOptions = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path, ...options }, (response) => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end()
  })
}

/** Sends `count` requests from `clients` clients, or until `until` holds. A status of 500 and more is a failure. */
export async function load(
  port: number,
  path: string,
  options: {
    readonly clients: number
    readonly count?: number
    readonly until?: () => boolean
    readonly keepAlive?: boolean
  },
): Promise<LoadResult> {
  const { clients, count = Infinity, until = () => false, keepAlive = true } = options
  const result: LoadResult = { requests: 0, failures: [], versions: new Map() }
  let begun = 0
  const client = async (): Promise<void> => {
    const agent = new http.Agent({ keepAlive, maxSockets: 1 })
    while (begun < count && !until()) {
      begun++
      try {
        // oxlint-disable-next-line no-await-in-loop
        const { status, headers } = await get(port, path, { agent })
        if (status >= 500) result.failures.push(`status ${status}`)
        const version = String(headers['x-version'])
        result.versions.set(version, (result.versions.get(version) ?? 0) + 1)
      } catch (error) {
        result.failures.push((error as NodeJS.ErrnoException).code ?? String(error))
      }
      result.requests++
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: clients }, client))
  return result
}
