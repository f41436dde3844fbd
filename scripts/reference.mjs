/** Writes docs/reference/cli.md from the table of commands. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, install, root } from './setup.mjs'

install()
build()
const { cliReference } = await import(join(root, 'packages/serin/dist/src/cli/reference.js'))
writeFileSync(join(root, 'docs/reference/cli.md'), cliReference())
