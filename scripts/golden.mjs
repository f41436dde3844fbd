/** Writes the expected halves of the golden files anew (packages/serin/test/golden). Look at the difference before you commit it. */
import { join } from 'node:path'
import { build, install, root, run } from './setup.mjs'

install()
build()
run(process.execPath, [join(root, 'packages/serin/dist/test/golden/write.js')])
run('git', ['diff', '--stat', '--', 'packages/serin/test/golden'])
