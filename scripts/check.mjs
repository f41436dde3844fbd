/** Everything that can be said of the code without running it. */
import { build, install, run } from './setup.mjs'

install()
build()
run('npx', ['oxlint', '--type-aware', '--deny-warnings'])
run('npx', ['oxfmt', '--check'])
run('npx', ['knip', '--no-progress'])
run('npx', ['publint', 'packages/versioning'])
run('npx', ['attw', '--pack', 'packages/versioning', '--profile', 'esm-only'])
