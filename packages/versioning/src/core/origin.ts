/** Where the code is that called us: read from a stack trace, so that a mistake can be shown with its place. */

import type { Origin } from './diagnostics.ts'

/** Frames looked at; a declaration stands close to the top. */
const framesMax = 24
/** This package, as it was built and as it was written: with `--enable-source-maps` a trace names the latter. Bundled code knows no place. */
const here: string | undefined = import.meta.url
const own = ['dist/src/', 'src/'].flatMap((folder) =>
  here === undefined ? [] : new URL(`../../../${folder}`, here).pathname,
)
const foreign = /\/node_modules\/(fastify|avvio|hono|fastify-plugin)\//

/** The first caller outside this library and its host framework; undefined if the trace does not say. */
export function callerOrigin(): Origin | undefined {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = framesMax
  const stack = String(new Error('place').stack)
  Error.stackTraceLimit = before
  for (const line of stack.split('\n').slice(1)) {
    const match = /\(?((?:file:\/\/)?\/[^()]+?|[A-Za-z]:\\[^()]+?|file:\/\/\/[^()]+?):(\d+):(\d+)\)?$/.exec(line)
    if (match === null) continue
    const file = match[1] as string
    if (isInside(file) || foreign.test(file)) continue
    return { file: readable(file), line: Number(match[2]), column: Number(match[3]) }
  }
  return undefined
}

/** Whether a file belongs to this library; its own tests do not. */
function isInside(file: string): boolean {
  const path = file.replace(/^file:\/\//, '')
  return own.some((folder) => path.startsWith(folder)) && !path.includes('.test.')
}

/** Relative to the working directory where that is shorter. Not every runtime has one: then the path stays whole. */
function readable(file: string): string {
  const path = decodeURI(file.replace(/^file:\/\/(?=\/)/, ''))
  const { process } = globalThis as { process?: { cwd?: () => string } }
  const directory = `${process?.cwd?.() ?? ''}/`
  return directory !== '/' && path.startsWith(directory) ? path.slice(directory.length) : path
}
