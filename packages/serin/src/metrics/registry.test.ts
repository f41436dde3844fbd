import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CELL, FIRST_FLAG } from './cells.ts'
import { codeCounts } from './exposition.ts'
import { FLAG, FLAG_NAMES, flagText } from './flags.ts'
import type { Meter } from './meter.ts'
import { Registry } from './registry.ts'
import { Totals, type Series } from './sample.ts'

function plan(registry: Registry, mappings: readonly string[], nowMs = 0): Meter[] {
  registry.beginPlan()
  const meters = mappings.map((mapping) => registry.destination(mapping, 'v1'))
  registry.endPlan(nowMs)
  return meters
}

function requests(meter: Meter, count: number, status = 200): void {
  for (let index = 0; index < count; index++) {
    meter.started()
    meter.ended(status, 1, 10, 20, 0)
  }
}

const overTheWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

function find(series: readonly Series[], mapping: string): Series | undefined {
  return series.find(({ labels }) => labels.kind === 'destination' && labels.mapping === mapping)
}

test('the same labels give the same meter over plans', () => {
  const registry = new Registry()
  assert.equal(plan(registry, ['a'])[0], plan(registry, ['b', 'a'])[1])
})

test('a request is counted by code, duration, octets and flags', () => {
  const registry = new Registry()
  const [meter] = plan(registry, ['a'])
  meter!.started()
  assert.equal(meter!.active, 1)
  meter!.ended(503, 12, 3, 4, FLAG.UF | FLAG.URX)
  meter!.started()
  meter!.ended(226, 1, 0, 0, 0)
  const totals = new Totals()
  totals.apply(1, overTheWire(registry.sample()))
  const { cells, ...rest } = find(totals.series(0), 'a')!
  assert.equal(cells[CELL.started], 2)
  assert.equal(cells[CELL.durationMsSum], 13)
  assert.equal(cells[CELL.bytesIn], 3)
  assert.equal(cells[CELL.bytesOut], 4)
  assert.equal(cells[FIRST_FLAG + FLAG_NAMES.indexOf('UF')], 1)
  assert.equal(cells[FIRST_FLAG + FLAG_NAMES.indexOf('URX')], 1)
  assert.equal(cells[FIRST_FLAG + FLAG_NAMES.indexOf('UC')], 0)
  assert.deepEqual([...codeCounts({ cells, ...rest })], [[503, 1], [226, 1]]) // oxfmt-ignore
})

test('flags are written in Envoy’s order, and a dash for none', () => {
  assert.equal(flagText(0), '-')
  assert.equal(flagText(FLAG.URX | FLAG.UF), 'UF,URX')
})

test('a sample holds only what changed since the last one', () => {
  const registry = new Registry()
  const [first] = plan(registry, ['a', 'b'])
  assert.equal(registry.sample().rows.length, 2)
  assert.equal(registry.sample().rows.length, 0)
  requests(first!, 1)
  const { rows } = registry.sample()
  assert.deepEqual(
    rows.map(({ id, labels }) => ({ id, labels })),
    [{ id: 0, labels: undefined }],
  )
  assert.equal(registry.sample(true).rows.length, 2)
})

test('a meter that no plan uses goes after a while, but not while a request of it runs', () => {
  const registry = new Registry()
  const [old] = plan(registry, ['old'])
  old!.started()
  plan(registry, ['new'], 1_000)
  plan(registry, ['new'], 700_000)
  registry.sample()
  assert.deepEqual(registry.sample().removed, [])
  old!.ended(200, 1, 0, 0, 0)
  plan(registry, ['new'], 700_001)
  assert.deepEqual(registry.sample().removed, [old!.id])
})

test('no count goes backwards when a worker is replaced, and its running requests end with it', () => {
  const totals = new Totals()
  const first = new Registry()
  const [meter] = plan(first, ['a'])
  requests(meter!, 5)
  meter!.started()
  meter!.set(CELL.membersTotal, 4)
  totals.apply(1, overTheWire(first.sample()))
  totals.workerGone(1)
  const between = find(totals.series(0), 'a')!
  assert.equal(between.cells[CELL.started]! - between.cells[CELL.ended]!, 0)
  assert.equal(between.cells[CELL.membersTotal], 0)
  const second = new Registry()
  requests(plan(second, ['a'])[0]!, 2)
  totals.apply(2, overTheWire(second.sample()))
  assert.equal(codeCounts(find(totals.series(0), 'a')!).get(200), 7)
})

test('a row that no worker has is forgotten after a while', () => {
  const totals = new Totals()
  const registry = new Registry()
  plan(registry, ['a'])
  totals.apply(1, registry.sample())
  totals.workerGone(1)
  assert.equal(totals.series(0).length, 1)
  assert.equal(totals.series(600_000).length, 1)
  assert.equal(totals.series(600_001).length, 0)
})

test('gauges are the largest of the workers’, counts their sum', () => {
  const totals = new Totals()
  for (const worker of [1, 2]) {
    const registry = new Registry()
    const [meter] = plan(registry, ['a'])
    meter!.set(CELL.membersHealthy, worker)
    requests(meter!, worker)
    totals.apply(worker, registry.sample())
  }
  const { cells } = find(totals.series(0), 'a')!
  assert.equal(cells[CELL.membersHealthy], 2)
  assert.equal(cells[CELL.ended], 3)
})

test('whatever workers count, sample, die and change, the sum is what was sampled and never falls', () => {
  const step = fc.record({
    worker: fc.nat(2),
    mapping: fc.constantFrom('a', 'b', 'c'),
    dies: fc.boolean(),
    samples: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const totals = new Totals()
      let nextId = 0
      const workers = Array.from({ length: 3 }, () => ({ id: nextId++, registry: new Registry() }))
      const pending = [0, 0, 0]
      let sampled = 0
      for (const { worker, mapping, dies, samples } of steps) {
        const { id, registry } = workers[worker]!
        requests(plan(registry, [mapping])[0]!, 1)
        pending[worker]! += 1
        if (samples) {
          totals.apply(id, overTheWire(registry.sample()))
          sampled += pending[worker]!
          pending[worker] = 0
        }
        if (dies) {
          totals.workerGone(id)
          workers[worker] = { id: nextId++, registry: new Registry() }
          pending[worker] = 0
        }
        const sum = totals.series(0).reduce((all, { cells }) => all + cells[CELL.ended]!, 0)
        assert.equal(sum, sampled)
      }
    }),
    { numRuns: 50 },
  )
})
