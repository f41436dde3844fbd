import { request as httpRequest } from 'node:http'
import { connect as http2Connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { HttpGetAction, IntOrString, LifecycleHandler, Probe } from '../../resources/kubernetes/types.ts'
import { PROBE_OUTPUT_BYTES_MAX, TIMER_MS_MAX } from '../limits.ts'
import { textOf, type RunningContainer } from '../runtimes/runtime.ts'

/** Asks a container once whether it is well: by HTTP, TCP, a command, or gRPC's health protocol. Source: Kubernetes, "Probes". */

export interface ProbeTarget {
  readonly host: string
  /** The port on this machine for a port as the probe names it; undefined for an unknown name. */
  readonly port: (port: IntOrString) => number | undefined
  readonly container: RunningContainer
}

export interface ProbeOutcome {
  readonly ok: boolean
  /** For the event, when it is not. */
  readonly message: string
}

const WELL: ProbeOutcome = { ok: true, message: '' }
const ill = (message: string): ProbeOutcome => ({ ok: false, message })

/** Never rejects: whatever goes wrong is an outcome. */
export async function ask(
  probe: Probe | LifecycleHandler,
  target: ProbeTarget,
  timeoutMsWanted: number,
): Promise<ProbeOutcome> {
  const timeoutMs = Math.min(timeoutMsWanted, TIMER_MS_MAX)
  try {
    if (probe.httpGet !== undefined) return await askHttp(probe.httpGet, target, timeoutMs)
    if (probe.tcpSocket !== undefined) return await askTcp(probe.tcpSocket, target, timeoutMs)
    if (probe.exec !== undefined) return await askCommand(probe.exec.command ?? [], target, timeoutMs)
    if ('grpc' in probe && probe.grpc !== undefined) return await askGrpc(probe.grpc, target, timeoutMs)
    return WELL
  } catch (error) {
    return ill(error instanceof Error ? error.message : String(error))
  }
}

function askHttp(action: HttpGetAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const port = target.port(action.port)
  if (port === undefined) return Promise.resolve(ill(`couldn't find port: ${String(action.port)}`))
  const host = action.host ?? target.host
  const path = action.path ?? '/'
  const secure = action.scheme?.toUpperCase() === 'HTTPS'
  const url = `${secure ? 'https' : 'http'}://${host}:${String(port)}${path.startsWith('/') ? path : `/${path}`}`
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.34', accept: '*/*', connection: 'close' }
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value
  return new Promise((resolve) => {
    const options = { headers, agent: false, rejectUnauthorized: false } as const
    const request = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
      const status = response.statusCode ?? 0
      resolve(status >= 200 && status < 400 ? WELL : ill(`HTTP probe failed with statuscode: ${String(status)}`))
      response.resume()
      response.on('error', () => {})
      // The body is of no interest, and could be endless.
      response.once('data', () => request.destroy())
    })
    const timer = setTimeout(() => {
      resolve(ill(`Get "${url}": ${TIMED_OUT}`))
      request.destroy()
    }, timeoutMs)
    request.once('close', () => clearTimeout(timer))
    request.on('error', (error) => resolve(ill(`Get "${url}": ${reasonOf(error, `${host}:${String(port)}`)}`)))
    request.end()
  })
}

const TIMED_OUT = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'

function reasonOf(error: Error, address: string): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ECONNREFUSED') return `dial tcp ${address}: connect: connection refused`
  if (code === 'ECONNRESET') return 'EOF'
  return error.message
}

function askTcp(
  action: { port: IntOrString; host?: string },
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const port = target.port(action.port)
  if (port === undefined) return Promise.resolve(ill(`couldn't find port: ${String(action.port)}`))
  const host = action.host ?? target.host
  const address = `${host}:${String(port)}`
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const done = (outcome: ProbeOutcome): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(timeoutMs, () => done(ill(`dial tcp ${address}: i/o timeout`)))
    socket.once('connect', () => done(WELL))
    socket.once('error', (error) => done(ill(reasonOf(error, address))))
  })
}

async function askCommand(
  command: readonly string[],
  { container }: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const session = await container.exec({ command, stdin: false, tty: false })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    session.kill()
  }, timeoutMs)
  const [code, output, errors] = await Promise.all([
    session.exit,
    textOf(session.stdout, PROBE_OUTPUT_BYTES_MAX),
    session.stderr === undefined ? '' : textOf(session.stderr, PROBE_OUTPUT_BYTES_MAX),
  ])
  clearTimeout(timer)
  if (timedOut) return ill(`command timed out: "${command.join(' ')}" timed out after ${String(timeoutMs / 1000)}s`)
  return code === 0 ? WELL : ill(`${output}${errors}`)
}

/** grpc.health.v1.Health/Check: one message with the service's name, answered by one whose field 1 is 1 for SERVING. */
function askGrpc(
  action: { port: number; service?: string },
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const port = target.port(action.port) ?? action.port
  const address = `${target.host}:${String(port)}`
  const service = Buffer.from(action.service ?? '')
  const message = service.length === 0 ? service : Buffer.concat([Buffer.from([0x0a, service.length]), service])
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
  return new Promise((resolve) => {
    const session = http2Connect(`http://${address}`)
    const done = (outcome: ProbeOutcome): void => {
      session.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(
      () => done(ill(`timeout: failed to connect service "${address}" within ${String(timeoutMs)}ms`)),
      timeoutMs,
    )
    session.once('close', () => clearTimeout(timer))
    session.once('error', (error) => done(ill(reasonOf(error, address))))
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', (error) => done(ill(reasonOf(error, address))))
    stream.once('end', () =>
      done(isServing(Buffer.concat(chunks)) ? WELL : ill('service unhealthy (responded with "NOT_SERVING")')),
    )
    stream.end(frame)
  })
}

function isServing(frame: Buffer): boolean {
  return frame.length >= 7 && frame[5] === 0x08 && frame[6] === 1
}
