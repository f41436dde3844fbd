import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareVersions, formatVersion, isNotAVersion, parseVersion, version, type Version } from './version.ts'

const good = [
  [1, '1'],
  ['1', '1'],
  ['1.0', '1'],
  ['1.0.0', '1'],
  ['1.10', '1.10'],
  ['1.2.3', '1.2.3'],
  ['0', '0'],
  ['2026-01-15', '2026-01-15'],
  ['2026-01', '2026-01'],
  ['3-beta.1', '3-beta.1'],
  ['3.0-rc', '3-rc'],
  ['2026-01-15-preview', '2026-01-15-preview'],
  ['2024-02-29', '2024-02-29'],
] as const

test('versions are read into one canonical text', () => {
  for (const [value, text] of good) {
    const parsed = parseVersion(value)
    equal(isNotAVersion(parsed) ? parsed.reason : parsed.text, text, String(value))
  }
})

const bad = [
  1.1,
  -1,
  Number.NaN,
  1e21,
  '',
  'v1',
  '01',
  '1.',
  '1.x',
  '1..2',
  '1.2.3.4',
  '2026-02-30',
  '2026-13-01',
  '2023-02-29',
  '2026-1-5',
  'latest',
  ' 1',
  '1 ',
  '1-',
  '1-01',
  '1-a..b',
  `1-${'a'.repeat(80)}`,
  null,
  undefined,
  {},
  [],
  true,
  '１',
]

test('everything else is refused with a reason', () => {
  for (const value of bad) {
    const parsed = parseVersion(value)
    ok(isNotAVersion(parsed) && parsed.reason.length > 5, JSON.stringify(value))
  }
  throws(() => version(1.1), /1\.10 and 1\.1 are the same number.*write it as a string: '1\.1'/)
})

test('order: by number, by day, and a pre-release before its release', () => {
  const sorted = [
    '0',
    '0.9',
    '1-alpha',
    '1-alpha.1',
    '1-alpha.beta',
    '1-beta',
    '1-beta.2',
    '1-beta.11',
    '1',
    '1.2',
    '1.10',
    '1.10.1',
    '2',
  ]
  deepEqual(
    [...sorted]
      .reverse()
      .map((text) => version(text))
      .sort(compareVersions)
      .map(({ text }) => text),
    sorted,
  )
  const dates = ['2024-12-31', '2025-01', '2025-01-01', '2025-02-28-preview', '2025-02-28']
  deepEqual(
    [...dates]
      .reverse()
      .map((text) => version(text))
      .sort(compareVersions)
      .map(({ text }) => text),
    dates,
  )
})

test('templates', () => {
  equal(formatVersion('/v{major}_{minor}', version('1.10')), '/v1_10')
  equal(formatVersion('v{major}.{minor}.{patch}', version('1')), 'v1.0.0')
  equal(formatVersion('/{year}/{month}', version('2026-01-15')), '/2026/01')
  equal(formatVersion('/v{version}', version('2-beta.1')), '/v2-beta.1')
  equal(formatVersion('/v{major}', version('2-beta.1')), '/v2-beta.1')
})

const anyVersion: fc.Arbitrary<Version> = fc
  .tuple(fc.nat(20), fc.nat(20), fc.nat(3), fc.option(fc.constantFrom('alpha', 'beta.1', 'beta.2', 'rc')))
  .map(([major, minor, patch, pre]) => version(`${major}.${minor}.${patch}${pre === null ? '' : `-${pre}`}`))

test('the order is total, and 0 means the same text; reading the text gives the version again', () => {
  fc.assert(
    fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
      equal(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)))
      equal(compareVersions(a, b) === 0, a.text === b.text)
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) ok(compareVersions(a, c) <= 0)
      deepEqual(version(a.text), a)
    }),
  )
})

test('no text makes the parser throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.\-a-z]{0,20}$/)), (text) => void parseVersion(text)),
  )
})
