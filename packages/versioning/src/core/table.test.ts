/** The rule of inheritance, checked against the shortest way to write it down. */

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chainFor, change, moveAnswerDown, moveBodyUp, orderChanges, type Change } from './migrations.ts'
import { pathShape } from './shape.ts'
import { shapesOverlap } from './overlap.ts'
import { compilePath, matchPath, sortPatterns } from './paths.ts'
import { compileTable, type Declaration } from './table.ts'
import { version } from './version.ts'

const highest = 8

interface Drawn {
  readonly method: string
  readonly path: string
  readonly from: number
  readonly until: number | undefined
}

/** Routes of at most one for each method, shape and first version, so that none is a duplicate. */
const drawn: fc.Arbitrary<readonly Drawn[]> = fc
  .uniqueArray(
    fc.record({
      method: fc.constantFrom('GET', 'POST'),
      path: fc.constantFrom('/a', '/a/:id', '/a/:name', '/b/:x/c', '/b/:y/c'),
      from: fc.integer({ min: 1, max: highest }),
      length: fc.option(fc.integer({ min: 1, max: 4 })),
    }),
    { selector: ({ method, path, from }) => `${method} ${pathShape(path)} ${from}`, maxLength: 12 },
  )
  .map((list) =>
    list.map(({ length, ...route }) => ({ ...route, until: length === null ? undefined : route.from + length })),
  )

function declarationOf(route: Drawn): Declaration<Drawn> {
  const { method, path, from, until } = route
  return {
    method,
    path,
    shape: pathShape(path),
    version: { from, ...(until === undefined ? {} : { until }) },
    overrides: false,
    origin: undefined,
    payload: route,
  }
}

const options = { versions: undefined, default: undefined, removals: [] }

function served(routes: readonly Drawn[]): Readonly<Record<string, readonly Drawn[]>> {
  const { table } = compileTable(routes.map(declarationOf), options)
  return Object.fromEntries([...table.served].map(([text, list]) => [text, list.map(({ payload }) => payload)]))
}

test('every method and shape is answered by the highest version introduced that has not ended', () => {
  fc.assert(
    fc.property(drawn, (routes) => {
      const result = served(routes)
      for (const text of new Set(routes.map(({ from }) => String(from)))) {
        for (const slot of new Set(routes.map(({ method, path }) => `${method} ${pathShape(path)}`))) {
          const candidates = routes.filter(
            ({ method, path, from, until }) =>
              `${method} ${pathShape(path)}` === slot &&
              from <= Number(text) &&
              (until === undefined || Number(text) < until),
          )
          const expected = candidates.toSorted((a, b) => b.from - a.from)[0]
          deepEqual(
            result[text]?.find(({ method, path }) => `${method} ${pathShape(path)}` === slot),
            expected,
          )
        }
      }
    }),
  )
})

test('the order of declaration does not count', () => {
  const shuffled = drawn.chain((routes) =>
    fc.tuple(fc.constant(routes), fc.shuffledSubarray([...routes], { minLength: routes.length })),
  )
  fc.assert(fc.property(shuffled, ([routes, others]) => deepEqual(served(others), served(routes))))
})

test('removing a route in a version is the same as giving it an end there', () => {
  fc.assert(
    fc.property(drawn, fc.integer({ min: 1, max: highest }), (routes, at) => {
      const known = routes.some(({ from }) => from === at)
      const victims = routes.filter(
        ({ path, method, from, until }) =>
          path === '/a' && method === 'GET' && from < at && (until === undefined || until > at),
      )
      fc.pre(known && victims.length > 0)
      const removed = compileTable(routes.map(declarationOf), {
        ...options,
        removals: [{ method: 'GET', path: '/a', shape: '/a', version: at }],
      })
      const ended = served(routes.map((route) => (victims.includes(route) ? { ...route, until: at } : route)))
      const plain = (list: readonly Drawn[] | undefined): unknown =>
        list?.map(({ method, path, from }) => [method, path, from])
      for (const [text, list] of removed.table.served)
        deepEqual(plain(list.map(({ payload }) => payload)), plain(ended[text]))
    }),
  )
})

test('migrations compose: through all versions at once is one version after the other', () => {
  const step = (at: number): Change =>
    change(at, `to ${at}`, {
      request: (list: readonly string[]) => [...list, `up ${at}`],
      response: (list: readonly string[]) => [...list, `down ${at}`],
    })
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 2, max: highest }), { minLength: 1 }),
      fc.integer({ min: 1, max: highest }),
      fc.integer({ min: 1, max: highest }),
      (versions, a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const changes = orderChanges(versions.map(step))
        const subject = { kind: 'event', event: undefined } as const
        const context = { version: String(from), params: {}, query: {}, headers: {}, status: 200 }
        const between = (low: number, high: number) =>
          chainFor({ changes, subject, from: version(low), to: version(high) })
        const steps = Array.from({ length: to - from }, (_, index) => from + index)
        const up = steps.reduce<unknown>((body, low) => moveBodyUp(between(low, low + 1), body, context), [])
        const down = steps
          .toReversed()
          .reduce<unknown>((body, low) => moveAnswerDown(between(low, low + 1), body, context), [])
        deepEqual(moveBodyUp(between(from, to), [], context), up)
        deepEqual(moveAnswerDown(between(from, to), [], context), down)
        deepEqual(
          (down as string[]).map((text) => text.slice(5)),
          (up as string[]).map((text) => text.slice(3)).toReversed(),
        )
      },
    ),
  )
})

test('shapes: names are erased, everything else stays', () => {
  const same = [
    ['/items/:id', '/items/:item_id'],
    ['/a/:x-:y', '/a/:from-:to'],
    ['/n/:id(^\\d+$)', '/n/:num(^[0-9]+$)'],
    ['/:a.json', '/:b.json'],
  ] as const
  for (const [a, b] of same) equal(pathShape(a), pathShape(b))
  const different = [
    '/items/:id',
    '/items/::id',
    '/items/id',
    '/items/:id(\\d+)',
    '/items/:id-:x',
    '/items/:id/',
    '/items/*',
    '/Items/:id',
    '/items/:id.json',
  ]
  equal(new Set(different.map((path) => pathShape(path))).size, different.length)
})

test('two shapes overlap if some path matches both', () => {
  const segment = fc.constantFrom('a', 'b', ':x', ':y')
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`)
  const concrete = fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
    .map((parts) => `/${parts.join('/')}`)
  fc.assert(
    fc.property(path, path, concrete, (one, other, url) => {
      const both = [one, other].every((pattern) => matchPath([compilePath(pattern, pattern)], url) !== undefined)
      if (both) equal(shapesOverlap(pathShape(one), pathShape(other)), true)
    }),
  )
})

test('a static segment goes before a parameter, whatever the order of declaration', () => {
  const patterns = ['/*', '/items/:id', '/items/:id(\\d+)', '/items/me', '/:any/me'].map((path) =>
    compilePath(path, path),
  )
  for (const list of [patterns, patterns.toReversed()]) {
    const find = (url: string): string | undefined => matchPath(sortPatterns(list), url)?.value
    deepEqual(['/items/me', '/items/7', '/items/x', '/x/me', '/x/y/z'].map(find), [
      '/items/me',
      '/items/:id(\\d+)',
      '/items/:id',
      '/:any/me',
      '/*',
    ])
  }
})
