/** `serin down`: ends the serin of a data directory; also what a control process that was killed left running. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import type { ControlRecord } from '../control.ts'
import { type DataDirectory, dataDirectory, readAlive } from '../data-directory.ts'
import type { GatewayRecord } from '../gateway-keeper.ts'
import { isAlive } from '../store/process-identity.ts'
import { DEFAULT_DATA } from './client.ts'
import type { Invocation } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { note, print } from './output.ts'
import { shellPath } from './shell-path.ts'

const LOOK_EVERY_MS = 20
/** Pods have 30 s of grace unless they say otherwise. */
const DOWN_MS_MAX = 120_000
const SAY_AFTER_MS = 1_000

export async function down(invocation: Invocation): Promise<number> {
  const data = dataDirectory(invocation.string('data') ?? DEFAULT_DATA)
  const control = readAlive<ControlRecord>(data.controlFile)
  if (control !== undefined) await endControl(control)
  else if (isLeftBehind(data)) await adoptAndEnd(data)
  else {
    throw new CliError(`no serin runs with ${shellPath(data.path)}`, { exitCode: EXIT.notFound, hint: 'serin up' })
  }
  print('gone')
  return EXIT.done
}

async function endControl(control: ControlRecord): Promise<void> {
  process.kill(control.pid, 'SIGTERM')
  const started = performance.now()
  let said = false
  while (isAlive(control)) {
    const elapsed = performance.now() - started
    if (!said && elapsed > SAY_AFTER_MS) {
      note('draining: requests under way end, pods stop in their time')
      said = true
    }
    if (elapsed > DOWN_MS_MAX) {
      throw new CliError(`pid ${control.pid} is still running after ${DOWN_MS_MAX / 1000} s`, {
        exitCode: EXIT.timedOut,
        hint: `kill -9 ${control.pid}`,
      })
    }
    await sleep(LOOK_EVERY_MS)
  }
}

/** A control process that died without a word left a gateway or pods. */
function isLeftBehind(data: DataDirectory): boolean {
  return readAlive<GatewayRecord>(data.gatewayFile) !== undefined || existsSync(data.controlFile)
}

/** The way to end them in order is to take them over first. */
async function adoptAndEnd(data: DataDirectory): Promise<void> {
  note('its control process died; taking over what it left')
  const { startControl } = await import('../control.ts')
  const record = readAlive<GatewayRecord>(data.gatewayFile)
  const control = await startControl({
    data: data.path,
    api: { host: '127.0.0.1', port: 0 },
    console: { host: '127.0.0.1', port: 0 },
    anyConsolePort: true,
    bind: record?.settings.bind ?? '127.0.0.1',
    workers: record?.settings.workers ?? 1,
    images: {},
  })
  await control.stop()
}
