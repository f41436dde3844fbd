/** Writes `bench/results.md`. */
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { join } from 'node:path'

export function writeResults(results, { rounds, seconds }) {
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Linux ${release().split('-')[0]}, Node ${process.versions.node}`
  const parts = [
    '# Results',
    `${new Date().toISOString().slice(0, 10)}; ${machine}. Made by \`npm run bench -- --full\`: ${rounds} rounds of ${seconds} s, alternating; median ± half the range.`,
    'Ratios hold, absolute figures are this machine’s. CPU is user and system time of all processes of a proxy, from `/proc`, over the requests that were answered.',
  ]
  for (const { title, goal, tables, text } of results) {
    parts.push(`## ${title}`, `Goal: ${goal}`, ...(tables ?? []).map((one) => one.text), ...(text ? [text] : []))
  }
  writeFileSync(join(import.meta.dirname, 'results.md'), `${parts.join('\n\n')}\n`)
}
