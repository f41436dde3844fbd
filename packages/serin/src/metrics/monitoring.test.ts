import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { METRICS } from './exposition.ts'

const deploy = resolve(import.meta.dirname, '../../../../../deploy')
const skip = spawnSync('promtool', ['--version']).status !== 0 && 'promtool is not installed'

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets?: readonly { readonly expr: string }[]
  }[]
}

const dashboard = JSON.parse(readFileSync(join(deploy, 'grafana/serin.json'), 'utf8')) as Dashboard
const queries = dashboard.panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? [])
const rules = readFileSync(join(deploy, 'prometheus/serin.rules.yml'), 'utf8')

test('dashboard and rules ask for metrics that exist', () => {
  const names = new Set(
    METRICS.flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  )
  const asked = [...queries, rules].flatMap((text) => text.match(/(?<![:\w])(?:serin|envoy)_\w+(?=[{[) ])/g) ?? [])
  assert.ok(asked.length > 20)
  const labels = new Set(['envoy_cluster_name'])
  assert.deepEqual(
    asked.filter((name) => !names.has(name) && !labels.has(name)),
    [],
  )
})

test('promtool accepts the configuration, and the rules do what they say', { skip }, () => {
  promtool('check', 'config', join(deploy, 'prometheus/prometheus.yml'))
  promtool('test', 'rules', join(deploy, 'prometheus/serin.rules.test.yml'))
})

test('every query of the dashboard is one to Prometheus', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'serin-dashboard-'))
  const file = join(directory, 'rules.yml')
  const records = queries.map((query, index) => ({
    record: `panel:query:${index}`,
    expr: query.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'),
  }))
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: records }] }))
  promtool('check', 'rules', file)
  rmSync(directory, { recursive: true })
})

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
}
