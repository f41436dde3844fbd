/** The parts of the package import in one direction only. */

import { equal } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

/** Each part may import from itself and from these. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  openapi: [],
  fastify: ['core', 'openapi'],
  decorators: ['core', 'fastify'],
  web: ['core'],
  fetch: ['core', 'web'],
  hono: ['core', 'web'],
  node: ['fetch'],
}

const source = join(import.meta.dirname, '../../../../packages/versioning/src')

test('every part imports only from parts before it', () => {
  const wrong: string[] = []
  const parts = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of parts) {
    for (const file of readdirSync(join(source, name)).filter(
      (item) => item.endsWith('.ts') && !item.endsWith('.test.ts'),
    )) {
      const text = readFileSync(join(source, name, file), 'utf8')
      for (const [, part] of text.matchAll(/from '\.\.\/(\w+)\//g)) {
        if (mayImport[name]?.includes(part as string) !== true) wrong.push(`${name}/${file} imports from ${part}`)
      }
    }
  }
  equal(wrong.join('\n'), '')
  equal(
    parts
      .map(({ name }) => name)
      .sort()
      .join(),
    Object.keys(mayImport).sort().join(),
  )
})
