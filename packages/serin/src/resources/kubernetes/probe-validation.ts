/** Probes and lifecycle hooks. Pure. */
import { portNameErrors } from './names.ts'
import { forbidden, invalid, invalids, nonNegative, required, unsupported, type FieldProblem } from './problems.ts'
import type { HttpGetAction, IntOrString, LifecycleHandler, Probe } from './types.ts'

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>

export function validateProbe(
  probe: Probe,
  field: string,
  kind: 'livenessProbe' | 'readinessProbe' | 'startupProbe',
): FieldProblem[] {
  const problems = [
    ...validateHandler(probe, field),
    ...nonNegative(`${field}.initialDelaySeconds`, probe.initialDelaySeconds),
    ...nonNegative(`${field}.timeoutSeconds`, probe.timeoutSeconds),
    ...nonNegative(`${field}.periodSeconds`, probe.periodSeconds),
    ...nonNegative(`${field}.successThreshold`, probe.successThreshold),
    ...nonNegative(`${field}.failureThreshold`, probe.failureThreshold),
  ]
  const { terminationGracePeriodSeconds: grace, successThreshold } = probe
  if (grace !== undefined && grace <= 0) {
    problems.push(invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  }
  if (kind !== 'readinessProbe' && successThreshold !== undefined && successThreshold !== 1) {
    problems.push(invalid(`${field}.successThreshold`, successThreshold, 'must be 1'))
  }
  if (kind === 'readinessProbe' && grace !== undefined) {
    problems.push(invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'))
  }
  return problems
}

/** `graceSeconds`: how long the Pod takes to end, which a hook's sleep must fit into. */
export function validateHandler(handler: Handler, field: string, graceSeconds: number = Infinity): FieldProblem[] {
  const problems: FieldProblem[] = []
  let handlers = 0
  const take = (name: string, found: () => FieldProblem[]): void => {
    if (handlers > 0) problems.push(forbidden(`${field}.${name}`, 'may not specify more than 1 handler type'))
    else problems.push(...found())
    handlers += 1
  }
  const { exec, httpGet, tcpSocket, grpc } = handler
  if (exec !== undefined)
    take('exec', () => ((exec.command ?? []).length === 0 ? [required(`${field}.exec.command`)] : []))
  if (httpGet !== undefined) take('httpGet', () => validateHttp(httpGet, `${field}.httpGet`))
  if (tcpSocket !== undefined) take('tcpSocket', () => validatePortOrName(tcpSocket.port, `${field}.tcpSocket.port`))
  if (grpc !== undefined) take('grpc', () => validatePortOrName(grpc.port, `${field}.grpc.port`))
  if (handler.sleep !== undefined)
    take('sleep', () => validateSleep(handler.sleep?.seconds ?? 0, `${field}.sleep`, graceSeconds))
  if (handlers === 0) problems.push(required(field, 'must specify a handler type'))
  return problems
}

function validateSleep(seconds: number, field: string, graceSeconds: number): FieldProblem[] {
  if (seconds >= 0 && seconds <= graceSeconds) return []
  const why = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`
  return [invalid(field, seconds, why)]
}

function validateHttp({ path, port, scheme, httpHeaders = [] }: HttpGetAction, field: string): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (path === undefined || path === '') problems.push(required(`${field}.path`))
  problems.push(...validatePortOrName(port, `${field}.port`))
  if (scheme !== undefined && !['HTTP', 'HTTPS'].includes(scheme)) {
    problems.push(unsupported(`${field}.scheme`, scheme, ['HTTP', 'HTTPS']))
  }
  for (const { name } of httpHeaders) {
    if (!/^[-A-Za-z0-9]+$/.test(name)) {
      problems.push(
        invalid(
          `${field}.httpHeaders`,
          name,
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
        ),
      )
    }
  }
  return problems
}

/** A number of a port, or the name of one. */
export function validatePortOrName(port: IntOrString | undefined, field: string): FieldProblem[] {
  if (typeof port === 'string') return invalids(field, port, portNameErrors(port))
  const value = port ?? 0
  return Number.isInteger(value) && value >= 1 && value <= 65535
    ? []
    : [invalid(field, value, 'must be between 1 and 65535, inclusive')]
}
