/** Tables of results, for a terminal and for `bench/results.md`. */
import { median, spread } from './measure.mjs'

const BASE = 'nginx'

/** Rows of one load: one for each proxy, with ratios to nginx. */
export function table(title, byPeer) {
  const base = byPeer.get(BASE)
  const lines = [
    `| ${title} | CPU µs/request | of it user | × ${BASE} | requests/s | p50 µs | p99 µs | × ${BASE} | memory MB | failed |`,
    '|---|---|---|---|---|---|---|---|---|---|',
  ]
  for (const [peer, rounds] of byPeer) lines.push(row(peer, rounds, base))
  return lines.join('\n')
}

function row(peer, rounds, base) {
  const of = (key) => median(rounds.map((round) => round[key]))
  const ratio = (key) => (base ? (of(key) / median(base.map((round) => round[key]))).toFixed(2) : '')
  const cells = [
    peer,
    `${digits(of('cpuUs'))} ± ${digits(spread(rounds.map(({ cpuUs }) => cpuUs)))}`,
    digits(of('userUs')),
    ratio('cpuUs'),
    Math.round(of('perSecond')).toLocaleString('en'),
    Math.round(of('p50Us')).toLocaleString('en'),
    Math.round(of('p99Us')).toLocaleString('en'),
    ratio('p99Us'),
    Math.round(of('memoryPeak') / 1e6),
    rounds.reduce((sum, { failed }) => sum + failed, 0),
  ]
  return `| ${cells.join(' | ')} |`
}

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1)
}
