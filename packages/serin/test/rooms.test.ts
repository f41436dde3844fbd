import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'

/** Reading order of the rooms. A file may import from its own room and from rooms above it; files at the root see all. */
const ROOMS = [
  'model',
  'wire',
  'metrics',
  'gateway',
  'resources',
  'store',
  'compile',
  'workloads',
  'rollouts',
  'api',
  'dashboard',
  'cli',
]

const src = resolve(import.meta.dirname, '../../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

for (const file of files) {
  test(`${file} imports only from rooms above it`, () => {
    const room = ROOMS.indexOf(file.split(sep)[0] ?? '')
    if (file.includes(sep)) assert.notEqual(room, -1, `${file} stands in no room`)
    const source = readFileSync(resolve(src, file), 'utf8')
    for (const [, target] of source.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      const path = relative(src, resolve(src, dirname(file), target ?? ''))
      if (!path.includes(sep)) continue
      const targetRoom = ROOMS.indexOf(path.split(sep)[0] ?? '')
      assert.ok(room === -1 || targetRoom <= room, `${file} imports ${path}`)
    }
  })
}
