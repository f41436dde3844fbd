/** Runs every compiled test, or those whose path contains an argument: `npm test -- router`. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { build, install, root } from './setup.mjs'

/** A test file that takes longer hangs. */
const FILE_MS_MAX = 300_000
/** The machine this was written on has two cores; more files at once only make each other slow. */
const FILES_AT_ONCE = 2

install()
build()

const wanted = process.argv.slice(2)
const files = ['packages/versioning', 'packages/serin']
  .flatMap((packageDirectory) =>
    readdirSync(join(root, packageDirectory, 'dist'), { recursive: true }).map((file) =>
      join(packageDirectory, 'dist', file),
    ),
  )
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => existsSync(join(root, file.replace('/dist/', '/').replace(/\.js$/, '.ts'))))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()

process.chdir(root)
run({ files, concurrency: FILES_AT_ONCE, timeout: FILE_MS_MAX })
  .on('test:fail', () => {
    process.exitCode = 1
  })
  .compose(new spec())
  .pipe(process.stdout)
