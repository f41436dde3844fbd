/** Measures the gateway beside other proxies: `npm run bench -- [CASE…] [--full]`; see bench/run.mjs. */
import { build, install, root, run } from './setup.mjs'
import { join } from 'node:path'

install()
build()
run(process.execPath, [join(root, 'bench/run.mjs'), ...process.argv.slice(2)])
