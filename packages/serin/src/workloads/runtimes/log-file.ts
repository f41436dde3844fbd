import { execFile } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync, writeFileSync, readFileSync } from 'node:fs'
import { LOG_BYTES_MAX, LOG_BYTES_SLACK } from '../limits.ts'
import type { LogOptions } from '../pods/access.ts'

/**
 * A container's output. The program writes into the file itself, so nothing is lost and nobody has to live for it to be kept; what is
 * older than the bound is freed by punching a hole at the beginning of the file (fallocate(2)), under the program's feet and without
 * copying. Beside it stands `<file>.index`: at which offset the file was at which time, for `--since` and `--timestamps`.
 */

/** How often a log that grows is measured, and one that is quiet. */
const BUSY_MS = 200
const QUIET_MS = 2_000
/** One entry of the index for this time at most. */
const INDEX_ENTRIES_MAX = 4_096
const FOLLOW_MS = 50
const READ_BYTES = 64 * 1024
const BLOCK_BYTES = 4_096

interface Mark {
  readonly offset: number
  readonly at: number
}

interface Index {
  /** What is before it was freed. */
  readonly start: number
  readonly marks: readonly Mark[]
}

/** Keeps a log within its bound and its times known, until `stop`. */
export class LogKeeper {
  private readonly file: string
  private start: number
  private marks: Mark[]
  private timer: NodeJS.Timeout | undefined
  private punching = false

  constructor(file: string) {
    this.file = file
    const index = readIndex(file)
    this.start = index.start
    this.marks = [...index.marks]
    this.plan(BUSY_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.measure()
  }

  private plan(ms: number): void {
    this.timer = setTimeout(() => this.plan(this.measure() ? BUSY_MS : QUIET_MS), ms)
    this.timer.unref()
  }

  /** True when it has grown. */
  private measure(): boolean {
    const size = sizeOf(this.file)
    const last = this.marks.at(-1)?.offset ?? this.start
    if (size === last) return false
    this.marks.push({ offset: size, at: Date.now() })
    if (this.marks.length > INDEX_ENTRIES_MAX) this.marks = this.marks.filter((_mark, index) => index % 2 === 1)
    if (size - this.start > LOG_BYTES_MAX + LOG_BYTES_SLACK) this.free(size - LOG_BYTES_MAX)
    writeIndex(this.file, { start: this.start, marks: this.marks })
    return true
  }

  private free(wanted: number): void {
    if (this.punching) return
    const start = wanted - (wanted % BLOCK_BYTES)
    this.punching = true
    execFile('fallocate', ['--punch-hole', '--offset', '0', '--length', String(start), this.file], (error) => {
      this.punching = false
      // Without holes the file is cut: what the program writes in that moment may be lost.
      if (error !== null) truncateSync(this.file, 0)
      this.start = error === null ? start : 0
      this.marks = error === null ? this.marks.filter((mark) => mark.offset > start) : []
      writeIndex(this.file, { start: this.start, marks: this.marks })
    })
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function readIndex(file: string): Index {
  try {
    const parsed = JSON.parse(readFileSync(`${file}.index`, 'utf8')) as Index
    return { start: parsed.start, marks: parsed.marks }
  } catch {
    // Not measured yet.
    return { start: 0, marks: [] }
  }
}

function writeIndex(file: string, index: Index): void {
  try {
    writeFileSync(`${file}.index`, JSON.stringify(index))
  } catch {
    // The pod's directory is gone, or the disk is full: the times are not worth a failure.
  }
}

/** The log from its beginning. `isEnded` says whether the container is done, so that `follow` can end. */
export async function* readLog(file: string, options: ReadOptions, isEnded: () => boolean): AsyncGenerator<Buffer> {
  const { limitBytes } = options
  if (limitBytes === undefined) yield* lines(file, options, isEnded)
  else yield* limited(lines(file, options, isEnded), limitBytes)
}

type ReadOptions = Omit<LogOptions, 'container' | 'previous'>

async function* limited(chunks: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer> {
  let left = bytesMax
  for await (const chunk of chunks) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk
    left -= chunk.length
    if (left <= 0) return
  }
}

async function* lines(file: string, options: ReadOptions, isEnded: () => boolean): AsyncGenerator<Buffer> {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    // Nothing was ever written.
    return
  }
  try {
    const stamp = options.timestamps ? stamper(file) : undefined
    let offset = firstOffset(descriptor, file, options)
    let rest = Buffer.alloc(0)
    const buffer = Buffer.alloc(READ_BYTES)
    for (;;) {
      // Asked before reading: what was written before the end is read after it.
      const ended = isEnded()
      const bytes = readSync(descriptor, buffer, 0, READ_BYTES, offset)
      offset += bytes
      if (bytes > 0) {
        const read = Buffer.from(buffer.subarray(0, bytes))
        if (stamp === undefined) yield read
        else {
          const stamped = stamp(Buffer.concat([rest, read]), offset)
          rest = stamped.rest
          if (stamped.text.length > 0) yield stamped.text
        }
        continue
      }
      if (!options.follow || ended) break
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS))
    }
    if (stamp !== undefined && rest.length > 0) yield stamp(Buffer.concat([rest, Buffer.from('\n')]), offset).text
  } finally {
    closeSync(descriptor)
  }
}

/** Puts a time before every whole line: the first moment at which the log was seen to be that long. */
function stamper(file: string): (data: Buffer, end: number) => { text: Buffer; rest: Buffer<ArrayBuffer> } {
  return (data, end) => {
    const { marks } = readIndex(file)
    const last = data.lastIndexOf(0x0a)
    const rest = Buffer.from(data.subarray(last + 1))
    let offset = end - data.length
    const stamped = data
      .subarray(0, last + 1)
      .toString('utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const at = marks.find((mark) => mark.offset > offset)?.at ?? Date.now()
        offset += Buffer.byteLength(line) + 1
        return `${new Date(at).toISOString().replace('Z', '000000Z')} ${line}\n`
      })
    return { text: Buffer.from(stamped.join('')), rest }
  }
}

function firstOffset(descriptor: number, file: string, options: ReadOptions): number {
  const { start, marks } = readIndex(file)
  const { since, tailLines } = options
  const from = Math.max(
    wholeLine(descriptor, start),
    since === undefined ? 0 : offsetAt(marks, start, since.getTime(), file),
  )
  return tailLines === undefined ? from : Math.max(from, tailOffset(descriptor, from, tailLines))
}

/** What was written after a moment begins at the last measure before it. */
function offsetAt(marks: readonly Mark[], start: number, since: number, file: string): number {
  const before = marks.findLast((mark) => mark.at < since)
  const never = marks.length === 0 && (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < since
  return never ? sizeOf(file) : (before?.offset ?? start)
}

/** A freed beginning ends within a line: the next whole one counts. */
function wholeLine(descriptor: number, start: number): number {
  if (start === 0) return 0
  const buffer = Buffer.alloc(READ_BYTES)
  const bytes = readSync(descriptor, buffer, 0, READ_BYTES, start)
  const end = buffer.subarray(0, bytes).indexOf(0x0a)
  return end === -1 ? start : start + end + 1
}

/** Where the last `count` lines begin, read backwards. */
function tailOffset(descriptor: number, from: number, count: number): number {
  let position = fstatSync(descriptor).size
  if (count <= 0) return position
  const buffer = Buffer.alloc(READ_BYTES)
  // A newline at the very end closes the last line and does not begin another.
  let found = -1
  while (position > from) {
    const begin = Math.max(from, position - READ_BYTES)
    const bytes = readSync(descriptor, buffer, 0, position - begin, begin)
    const isEnd = position === fstatSync(descriptor).size
    if (isEnd && found === -1) found = buffer[bytes - 1] === 0x0a ? -1 : 0
    for (let at = bytes - 1; at >= 0; at -= 1) {
      if (buffer[at] !== 0x0a) continue
      found += 1
      if (found === count) return begin + at + 1
    }
    position = begin
  }
  return from
}
