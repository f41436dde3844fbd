/**
 * Throws mutated messages at the data plane for as long as told:
 *
 *     npm run fuzz -w packages/serin -- --seconds 60 [--seed 1] [--only parsers|worker]
 *
 * Ends with exit code 1 at the first input that breaks a promise, and says the seed that plays it again.
 */
import { parseArgs } from 'node:util'
import { tryParsers } from './parsers.ts'
import { Random } from './random.ts'
import { startWorkerFuzz } from './worker.ts'

/** Inputs between two looks at the clock. */
const BATCH = 2000
/** A worker that grows by more than this since its first check leaks. */
const GROWTH_BYTES_MAX = 100 * 1024 * 1024

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
let seed = Number(values.seed)

try {
  if (values.only !== 'worker') fuzzParsers(values.only === 'parsers' ? seconds : seconds / 2)
  if (values.only !== 'parsers') await fuzzWorker(values.only === 'worker' ? seconds : seconds / 2)
} catch (error) {
  console.error(`broken by --seed ${seed}`)
  console.error(error)
  process.exit(1)
}
process.exit(0)

function fuzzParsers(forSeconds: number): void {
  const until = performance.now() + forSeconds * 1000
  let inputs = 0
  while (performance.now() < until) {
    for (let input = 0; input < BATCH; input++, inputs++) tryParsers(new Random(++seed))
  }
  console.log(`parsers: ${inputs} inputs, every one whole and cut, none broke a promise`)
}

async function fuzzWorker(forSeconds: number): Promise<void> {
  const until = performance.now() + forSeconds * 1000
  const fuzz = await startWorkerFuzz()
  let inputs = 0
  let first = 0
  while (performance.now() < until) {
    for (let input = 0; input < BATCH / 20 && performance.now() < until; input++, inputs++) {
      // oxlint-disable-next-line no-await-in-loop
      await fuzz.once(new Random(++seed))
    }
    // oxlint-disable-next-line no-await-in-loop
    const { residentBytes } = await fuzz.check()
    first ||= residentBytes
    if (residentBytes - first > GROWTH_BYTES_MAX)
      throw new Error(`the worker grew from ${first} to ${residentBytes} octets`)
  }
  const { requests } = await fuzz.check()
  await fuzz.end()
  console.log(
    `worker: ${inputs} hostile peers, ${requests} requests upstream, each of them logged once and answered to its own client`,
  )
}
