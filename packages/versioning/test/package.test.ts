/** The package as it is published: packed, unpacked into a project of its own, compiled with every check, and run. */

import { equal } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'

const root = join(import.meta.dirname, '../../../..')
const packageDirectory = join(root, 'packages/versioning')
const project = mkdtempSync(join(tmpdir(), 'serin-versioning-'))

/** What a consumer installs beside the package. `@types/node` for the fixtures themselves. */
const peers = [
  'fastify',
  '@fastify/swagger',
  '@fastify/type-provider-typebox',
  'fastify-type-provider-zod',
  'hono',
  'typebox',
  'zod',
  '@types/node',
]

function found(name: string): string {
  const local = join(packageDirectory, 'node_modules', name)
  try {
    readFileSync(join(local, 'package.json'))
    return local
  } catch {
    return join(root, 'node_modules', name)
  }
}

before(() => {
  const packed = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
      cwd: packageDirectory,
      encoding: 'utf8',
    }),
  ) as { filename: string }[]
  const target = join(project, 'node_modules/@serin/versioning')
  mkdirSync(target, { recursive: true })
  execFileSync('tar', ['-xzf', join(project, packed[0]?.filename ?? ''), '--strip-components=1', '-C', target])
  for (const name of peers) {
    const link = join(project, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(found(name), link)
  }
  cpSync(join(packageDirectory, 'fixtures/consumer'), project, { recursive: true })
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023'],
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    rewriteRelativeImportExtensions: true,
    types: ['node'],
    outDir: 'dist',
    rootDir: '.',
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
})

after(() => rmSync(project, { recursive: true, force: true }))

test('a project that installs the package compiles with tsc --strict and skipLibCheck off, and runs', () => {
  const compiled = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
    encoding: 'utf8',
  })
  equal(compiled.stdout, '')
  for (const name of ['fastify', 'hono', 'node']) {
    const { stdout, stderr } = spawnSync(process.execPath, [join(project, 'dist', `${name}.js`)], {
      encoding: 'utf8',
      cwd: project,
    })
    equal(`${stdout}${stderr}`, `${name} ok\n`)
  }
})

test('the package holds no tests, and its core imports nothing', () => {
  const files = readdirSync(join(project, 'node_modules/@serin/versioning'), { recursive: true, encoding: 'utf8' })
  equal(files.filter((file) => file.includes('.test.')).join(), '')
  const core = files.filter((file) => file.startsWith('dist/src/core/') && file.endsWith('.js'))
  const imports = core.flatMap((file) =>
    [
      ...readFileSync(join(project, 'node_modules/@serin/versioning', file), 'utf8').matchAll(/from '([^.'][^']*)'/g),
    ].map((match) => match[1]),
  )
  equal(imports.join(), '')
})
