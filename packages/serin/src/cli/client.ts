/** The CLI's side of the Kubernetes API: one request, one answer, and a sentence for everything that goes wrong. */
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { text } from 'node:stream/consumers'

import { dataDirectory } from '../data-directory.ts'
import { type Connection, readKubeconfig } from '../store/kubeconfig.ts'
import { Transport, type TransportAnswer, type TransportRequest } from '../store/transport.ts'
import type { Invocation } from './command.ts'
import { CliError, EXIT } from './exit.ts'

export const DEFAULT_DATA = '.serin'

export type Answer = Pick<TransportAnswer, 'status' | 'text'>

export class Client {
  readonly #transport: Transport
  /** Where answers come from, for messages. */
  readonly source: string

  constructor(connection: Connection, source: string) {
    this.source = source
    this.#transport = new Transport(connection)
  }

  /** The answer, whatever its status. Throws CliError when nobody answers. */
  async ask(path: string, options: TransportRequest = {}): Promise<Answer> {
    try {
      return await this.#transport.ask(path, options)
    } catch (error) {
      throw this.#unreachable(error as NodeJS.ErrnoException)
    }
  }

  /** The parsed answer. Throws CliError with the Status's message for anything but 2xx. */
  async json<T = unknown>(path: string, options: TransportRequest = {}): Promise<T> {
    const answer = await this.ask(path, options)
    if (answer.status >= 300) throw failureOf(answer)
    return JSON.parse(answer.text) as T
  }

  /** As `json`; undefined for 404. */
  async find<T = unknown>(path: string, options: TransportRequest = {}): Promise<T | undefined> {
    const answer = await this.ask(path, options)
    if (answer.status === 404) return undefined
    if (answer.status >= 300) throw failureOf(answer)
    return JSON.parse(answer.text) as T
  }

  /** The body as it arrives: a watch, or followed logs. Ends quietly when the signal says so. */
  async *stream(path: string, options: TransportRequest = {}): AsyncGenerator<string> {
    try {
      const response = await this.#transport.open(path, options)
      response.setEncoding('utf8')
      const status = response.statusCode ?? 0
      if (status >= 300) throw failureOf({ status, text: await text(response) })
      for await (const piece of response) yield piece as string
    } catch (error) {
      if (options.signal?.aborted === true) return
      throw error instanceof CliError ? error : this.#unreachable(error as NodeJS.ErrnoException)
    }
  }

  close(): void {
    this.#transport.close()
  }

  #unreachable(error: NodeJS.ErrnoException): CliError {
    const { server } = this.#transport.connection
    const refused = error.code === 'ECONNREFUSED'
    return new CliError(
      refused
        ? `no serin answers at ${server} (from ${this.source})`
        : `${server} (from ${this.source}): ${error.message}`,
      { exitCode: refused ? EXIT.notFound : EXIT.failed, cause: error, ...(refused && { hint: 'serin up' }) },
    )
  }
}

/** Kubernetes' Status, as far as a person needs it. */
interface StatusBody {
  readonly message?: string
  readonly reason?: string
}

/** The sentence in an answer that is not 2xx. */
export function failureOf(answer: Answer): CliError {
  let status: StatusBody = {}
  try {
    status = JSON.parse(answer.text) as StatusBody
  } catch {
    // Not a Status: the text is all there is.
  }
  const message =
    status.message ?? (answer.text.trim() === '' ? `the API answered ${answer.status}` : answer.text.trim())
  return new CliError(status.reason === undefined ? message : `${message} (${status.reason})`, {
    exitCode: answer.status === 404 ? EXIT.notFound : EXIT.failed,
  })
}

/** --kubeconfig, else the kubeconfig of --data, else of .serin, else $KUBECONFIG. Throws CliError when there is none. */
export function findKubeconfig(invocation: Invocation): string {
  const given = invocation.string('kubeconfig')
  if (given !== undefined) return mustExist(given)
  const data = invocation.string('data')
  if (data !== undefined) return mustExist(dataDirectory(data).kubeconfig)
  const candidates = [
    dataDirectory(DEFAULT_DATA).kubeconfig,
    ...(process.env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== ''),
  ]
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new CliError(`no serin is running here: there is no ${DEFAULT_DATA}/kubeconfig and no $KUBECONFIG`, {
    exitCode: EXIT.notFound,
    hint: 'serin up -f k8s/   (or --data DIR, for a serin elsewhere)',
  })
}

function mustExist(path: string): string {
  if (existsSync(path)) return path
  throw new CliError(`${path} does not exist`, { exitCode: EXIT.notFound, hint: 'serin up' })
}

export function openClient(invocation: Invocation): Client {
  const path = findKubeconfig(invocation)
  return new Client(readKubeconfig(path), path)
}

export function namespaceOf(invocation: Invocation): string {
  return invocation.string('namespace') ?? 'default'
}
