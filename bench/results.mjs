/** Writes `bench/results.md`: the sections of the cases that were run anew, those of the others as they stand. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { CASES } from './cases.mjs'

const FILE = join(import.meta.dirname, 'results.md')
const INTRODUCTION = `# Results

Made by \`npm run bench\`; how many rounds, and of how long, stands with each case. All proxies of a case run at once and take turns; figures are medians over the rounds, ± half their range.
CPU is user and system time of all processes of a proxy, from \`/proc\`, over the requests that were answered. Compare ratios: absolute figures
are this machine's, and what else it had to do shows beside the date.`

export function writeResults(results, { rounds, seconds, ahead }) {
  const sections = existsSync(FILE) ? sectionsOf(readFileSync(FILE, 'utf8')) : new Map()
  for (const { title, goal, tables, text, load } of results) {
    const parts = [`Goal: ${goal}.`, stamp({ rounds, seconds, load, ahead, alone: tables.length === 0 })]
    sections.set(title, [...parts, ...tables.map((one) => one.text), ...(text ? [text] : [])].join('\n\n'))
  }
  const known = CASES.filter(({ title }) => sections.has(title))
  const body = known.map(({ title }) => `## ${title}\n${sections.get(title)}`)
  writeFileSync(FILE, `${[INTRODUCTION, ...body].join('\n\n')}\n`)
}

/** The machine's load when a case begins, before it adds its own. */
export function currentLoad() {
  return loadavg()[0]
}

function stamp({ rounds, seconds, load, ahead, alone }) {
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Linux ${release().split('-')[0]}, Node ${process.versions.node}`
  const how = alone ? '' : `, ${rounds} rounds of ${seconds} s`
  return `${new Date().toISOString().slice(0, 10)}; ${machine}${how}; load of other work ${load.toFixed(0)}${ahead ? ', which had to wait' : ''}.`
}

function sectionsOf(text) {
  const sections = new Map()
  for (const section of text.split('\n## ').slice(1)) {
    const end = section.indexOf('\n')
    sections.set(section.slice(0, end), section.slice(end + 1).trim())
  }
  return sections
}
