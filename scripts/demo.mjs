/** `npm run demo`: installs and builds what is missing, then plays the story of the tutorial. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, install, root } from './setup.mjs'

install()
build()
const serin = join(root, 'packages/serin/bin/serin.js')
const demo = spawn(process.execPath, [serin, 'demo', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
// Ctrl-C reaches the demo too; it ends in order, and this process with it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
demo.on('exit', (code) => {
  process.exitCode = code ?? 1
})
