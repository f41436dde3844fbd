/** A worker as a child process of the supervisor. Ends by itself, drained, when its supervisor is gone. */
import type { TcpHandle } from '../wire/tcp.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { Worker } from './worker.ts'

/** How long requests may still take when the supervisor died: its successor starts workers of its own. */
const ORPHAN_DRAIN_MS = 10_000

const worker = new Worker((message) => {
  tell(message)
  if (message.kind === 'drained') end()
})

/** The channel may break at any moment; then there is nobody to tell. */
function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, ignore)
}

function ignore(): void {
  // 'disconnect' says it
}

function end(): void {
  if (process.connected) process.disconnect()
  process.exit(0)
}

process.on('message', (message, handle) => worker.receive(message as ToWorker, handle as TcpHandle | undefined))
process.on('disconnect', () => void worker.drain(ORPHAN_DRAIN_MS))
// Ctrl-C reaches the whole process group; the supervisor decides when we end.
process.on('SIGINT', ignore)
process.on('SIGTERM', ignore)
process.on('error', ignore)
