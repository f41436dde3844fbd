/** The cells of a Pod: what its STATUS column says is derived from its containers (kubectl's well-known reasons). Pure. */
import { age } from './duration.ts'
import { list, number, orNone, text, type Cell, type Loose } from './loose.ts'

export function podCells(pod: Loose, now: number, created: string): readonly Cell[] {
  const { spec, status, metadata } = pod
  const containers = list(spec?.['containers'])
  const found = containersOf(pod)
  const restarts =
    found.restarts === 0 || found.restartedAt === undefined
      ? String(found.restarts)
      : `${found.restarts} (${age(found.restartedAt, now)} ago)`
  const addresses = list(status?.['podIPs'])
  const address = addresses.length > 0 ? text(addresses[0]?.['ip']) : text(status?.['podIP'])
  return [
    `${found.ready}/${containers.length + restartableInits(spec).length}`,
    metadata?.['deletionTimestamp'] === undefined ? found.reason : terminating(found.reason, status),
    restarts,
    created,
    orNone(address),
    orNone(text(spec?.['nodeName'])),
    orNone(text(status?.['nominatedNodeName'])),
    gates(spec, status),
  ]
}

function terminating(reason: string, status: Loose | undefined): string {
  if (text(status?.['reason']) === 'NodeLost') return 'Unknown'
  return ['Succeeded', 'Failed'].includes(text(status?.['phase'])) ? reason : 'Terminating'
}

interface Found {
  readonly reason: string
  readonly ready: number
  readonly restarts: number
  readonly restartedAt: string | undefined
}

function restartableInits(spec: Loose | undefined): readonly Loose[] {
  return list(spec?.['initContainers']).filter((container) => text(container['restartPolicy']) === 'Always')
}

function containersOf({ spec, status }: Loose): Found {
  const inits = initContainers(spec, status)
  const base = text(status?.['reason']) || text(status?.['phase'])
  const reason = inits.reason ?? (schedulingGated(status) ? 'SchedulingGated' : base)
  if (inits.reason !== undefined) return { ...inits, reason }
  return mainContainers(status, { ...inits, reason })
}

function schedulingGated(status: Loose | undefined): boolean {
  return list(status?.['conditions']).some(
    (condition) => text(condition['type']) === 'PodScheduled' && text(condition['reason']) === 'SchedulingGated',
  )
}

/** `Init:1/2` and its relatives; no reason when all init containers are done. */
function initContainers(
  spec: Loose | undefined,
  status: Loose | undefined,
): Omit<Found, 'reason'> & { reason: string | undefined } {
  const total = list(spec?.['initContainers']).length
  const restartable = new Set(restartableInits(spec).map((container) => text(container['name'])))
  let restarts = 0
  let ready = 0
  let restartedAt: string | undefined
  for (const [index, container] of list(status?.['initContainerStatuses']).entries()) {
    restarts += number(container['restartCount'])
    restartedAt = later(restartedAt, text(container['lastState']?.['terminated']?.['finishedAt']))
    const { terminated, waiting } = container['state'] ?? {}
    const isRestartable = restartable.has(text(container['name']))
    if (terminated !== undefined && number(terminated['exitCode']) === 0) continue
    if (isRestartable && text(container['started']) === 'true') {
      if (text(container['ready']) === 'true') ready += 1
      continue
    }
    let reason = `Init:${index}/${total}`
    if (terminated !== undefined) reason = `Init:${ended(terminated)}`
    else if (text(waiting?.['reason']) !== '' && text(waiting?.['reason']) !== 'PodInitializing') {
      reason = `Init:${text(waiting?.['reason'])}`
    }
    return { reason, ready, restarts, restartedAt }
  }
  return { reason: undefined, ready, restarts, restartedAt }
}

function mainContainers(status: Loose | undefined, start: Found): Found {
  let { reason, ready, restartedAt } = start
  // Restarts of init containers count only while they are what the pod is at.
  let restarts = 0
  restartedAt = undefined
  let hasRunning = false
  for (const container of list(status?.['containerStatuses']).toReversed()) {
    restarts += number(container['restartCount'])
    restartedAt = later(restartedAt, text(container['lastState']?.['terminated']?.['finishedAt']))
    const { waiting, terminated, running } = container['state'] ?? {}
    if (text(waiting?.['reason']) !== '') reason = text(waiting?.['reason'])
    else if (terminated !== undefined) reason = ended(terminated)
    else if (text(container['ready']) === 'true' && running !== undefined) {
      hasRunning = true
      ready += 1
    }
  }
  if (reason === 'Completed' && hasRunning) reason = isReady(status) ? 'Running' : 'NotReady'
  return { reason, ready, restarts, restartedAt }
}

function ended(terminated: Loose): string {
  const reason = text(terminated['reason'])
  if (reason !== '') return reason
  const signal = number(terminated['signal'])
  return signal === 0 ? `ExitCode:${number(terminated['exitCode'])}` : `Signal:${signal}`
}

function isReady(status: Loose | undefined): boolean {
  return list(status?.['conditions']).some(
    (condition) => text(condition['type']) === 'Ready' && text(condition['status']) === 'True',
  )
}

function gates(spec: Loose | undefined, status: Loose | undefined): string {
  const wanted = list(spec?.['readinessGates'])
  if (wanted.length === 0) return '<none>'
  const held = wanted.filter((gate) =>
    list(status?.['conditions']).some(
      (condition) => text(condition['type']) === text(gate['conditionType']) && text(condition['status']) === 'True',
    ),
  )
  return `${held.length}/${wanted.length}`
}

function later(a: string | undefined, b: string): string | undefined {
  if (b === '') return a
  return a === undefined || Date.parse(b) > Date.parse(a) ? b : a
}
