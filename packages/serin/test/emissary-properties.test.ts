/** What holds for any set of Ambassador resources, however broken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCompiler } from '../src/compile/compile.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { SHARE_WHOLE } from '../src/model/split.ts'
import { AMBASSADOR_SCHEMAS } from '../src/resources/ambassador/schemas.ts'
import type { KubeObject } from '../src/resources/object.ts'
import { readCases } from './emissary/case.ts'
import { readObjects } from './emissary/lane.ts'

/** Recorded sets that do something; big texts add nothing here. */
const sets = readCases()
  .filter(({ resources }) => resources.length < 20_000)
  .map(({ id, resources }) => ({
    id,
    objects: readObjects(resources).filter((object) => object.metadata?.name !== undefined),
  }))

/** Of the Mappings in a Snapshot: whose requests they take. */
function served(snapshot: Snapshot): Map<string, string> {
  return new Map(
    snapshot.routes.flatMap(({ virtualHosts, split }) =>
      split.destinations.map(({ mapping, share }) => [mapping, `${virtualHosts.join()} ${share > 0}`]),
    ),
  )
}

function withoutDuplicates(objects: readonly KubeObject[]): KubeObject[] {
  const byKey = new Map(
    objects.map((object) => [
      `${object.apiVersion} ${object.kind} ${object.metadata.namespace} ${object.metadata.name}`,
      object,
    ]),
  )
  return [...byKey.values()]
}

test('the same resources in any order give the same Snapshot', () => {
  fc.assert(
    fc.property(fc.constantFrom(...sets), fc.infiniteStream(fc.nat()), ({ objects }, random) => {
      const unique = withoutDuplicates(objects)
      const keyed = unique.map((object) => ({ object, key: random.next().value as number }))
      const shuffled = keyed.toSorted((left, right) => left.key - right.key).map(({ object }) => object)
      const compile = (list: readonly KubeObject[]): string =>
        JSON.stringify(createCompiler().compile({ objects: list }).snapshot)
      assert.equal(compile(shuffled), compile(unique))
    }),
    { numRuns: 300 },
  )
})

/** Values that people and their tools write by mistake. */
const ODD_VALUES: readonly unknown[] = [
  null,
  '',
  'x',
  -1,
  0,
  1e9,
  2.5,
  true,
  [],
  ['x'],
  {},
  { a: 1 },
  '%NOSUCH%',
  '(',
  '\r\n',
  '*',
  '10',
  [{}],
  { value: 1 },
]

interface Mutation {
  readonly index: number
  readonly field: number
  readonly value: unknown
  readonly kind: 'set' | 'remove' | 'unknown' | 'break'
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  index: fc.nat(),
  field: fc.nat(),
  value: fc.constantFrom(...ODD_VALUES),
  kind: fc.constantFrom('set', 'set', 'set', 'remove', 'unknown', 'break'),
})

function mutate(
  objects: readonly KubeObject[],
  { index, field, value, kind }: Mutation,
): { objects: KubeObject[]; touched: KubeObject } {
  const position = index % objects.length
  const object = objects[position]!
  const spec = { ...(object.spec as Record<string, unknown>) }
  const fields = Object.keys(AMBASSADOR_SCHEMAS[object.kind]?.properties ?? { spec: 0 })
  const name = fields[field % fields.length]!
  if (kind === 'set') spec[name] = value
  else if (kind === 'remove') delete spec[Object.keys(spec)[field % Math.max(1, Object.keys(spec).length)] ?? '']
  else if (kind === 'unknown') spec[`${name}x`] = value
  const broken = { ...object, spec: kind === 'break' ? value : spec } as KubeObject
  return { objects: objects.with(position, broken) as KubeObject[], touched: object }
}

test('400 mutated configurations: no crash, and no Mapping that was not touched loses its requests', () => {
  let runs = 0
  fc.assert(
    fc.property(
      fc.constantFrom(...sets.filter(({ objects }) => objects.length > 2)),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      ({ objects }, mutations) => {
        const compiler = createCompiler()
        let current = withoutDuplicates(objects)
        let before = compiler.compile({ objects: current }).snapshot
        for (const change of mutations) {
          const { objects: next, touched } = mutate(current, change)
          const { snapshot } = compiler.compile({ objects: next })
          runs++
          for (const { split } of snapshot.routes) {
            const total = split.destinations.reduce((sum, { share }) => sum + share, 0)
            assert.ok(total <= SHARE_WHOLE && split.destinations.every(({ share }) => share >= 0))
          }
          // A Host, a Listener or the Module means all Mappings, a Mapping those of its own route.
          if (touched.kind === 'Mapping') assertKept(before, snapshot, touched)
          current = next
          before = snapshot
        }
      },
    ),
    { numRuns: 400, seed: 7 },
  )
  assert.ok(runs >= 400)
})

function assertKept(before: Snapshot, after: Snapshot, touched: KubeObject): void {
  const key = `${touched.metadata.namespace ?? 'default'}/${touched.metadata.name}`
  const now = served(after)
  const route = (snapshot: Snapshot): string[] =>
    snapshot.routes
      .filter(({ split }) => split.destinations.some(({ mapping }) => mapping === key))
      .flatMap(({ split }) => split.destinations.map(({ mapping }) => mapping))
  const concerned = new Set([key, ...route(before), ...route(after)])
  for (const [mapping, what] of served(before)) {
    if (!concerned.has(mapping)) assert.equal(now.get(mapping), what, `${mapping} after a change to ${key}`)
    else if (mapping !== key) assert.ok(now.has(mapping), `${mapping} is gone after a change to ${key}`)
  }
}
