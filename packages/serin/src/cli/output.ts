/** What the CLI writes: data on stdout, everything else on stderr; colour only where a person looks. */
import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Data: goes through pipes. */
export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`)
}

/** Progress, warnings, advice. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Coloured when the stream is a terminal and neither NO_COLOR nor TERM=dumb says no (node:util knows the rules). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true })
}

/** Icon and word, so that colour is never alone; ASCII where the locale is not UTF-8. */
export const ICONS: { readonly good: string; readonly bad: string; readonly wait: string; readonly warn: string } =
  isUtf8() ? { good: '✔', bad: '✖', wait: '◌', warn: '⚠' } : { good: 'OK', bad: 'X', wait: '..', warn: '!' }

function isUtf8(): boolean {
  const locale = process.env['LC_ALL'] ?? process.env['LC_CTYPE'] ?? process.env['LANG'] ?? ''
  return locale === '' || locale === 'C.UTF-8' || /utf-?8/i.test(locale)
}

/** Columns as kubectl prints them: upper-case heads, three spaces between. Pure. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[], withHeads = true): string {
  const all = withHeads ? [heads, ...rows] : rows
  const widths = heads.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]! + 3)))
        .join('')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** `4m12s`, as kubectl writes ages. Pure. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  return days < 8 && hours % 24 !== 0 ? `${days}d${hours % 24}h` : `${days}d`
}

/** `1,234,567`. Pure. */
export function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/**
 * A reader that goes away (`serin get | head`) is no error: there is nobody to write for any more. A command that does more than
 * writing goes on (`survive`).
 */
export function forgiveClosedPipes({ survive }: { readonly survive: boolean }): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      if (!survive) process.exit(0)
    })
  }
}

/** One line that is written over itself on a terminal; elsewhere it is written when `settle`d only. */
export class LiveLine {
  readonly #stream: NodeJS.WriteStream
  #shown = false

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream
  }

  get isLive(): boolean {
    return this.#stream.isTTY === true && process.env['TERM'] !== 'dumb'
  }

  update(text: string): void {
    if (!this.isLive) return
    const width = this.#stream.columns > 0 ? this.#stream.columns : 80
    this.#stream.write(`\r\u001b[2K${text.length > width - 1 ? `${text.slice(0, width - 2)}…` : text}`)
    this.#shown = true
  }

  /** Removes the line, so that something else can be written. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[2K')
    this.#shown = false
  }

  /** Leaves the text in the scrollback. */
  settle(text: string): void {
    this.clear()
    this.#stream.write(`${text}\n`)
  }
}
