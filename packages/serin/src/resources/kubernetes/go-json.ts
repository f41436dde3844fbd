/**
 * What `JSON.parse` does not tell: where text stops being JSON, in the words of Go's decoder (which a Kubernetes API server
 * passes on), and which keys an object names twice. Pure.
 */

/** Deeper text is refused, as Go's decoder does. */
const DEPTH_MAX = 10_000

export class JsonSyntaxError extends Error {}

/** Paths (`spec.ports[0].name`) of keys that come twice in one object. Throws JsonSyntaxError. */
export function scanJson(text: string): string[] {
  const scanner = new Scanner(text)
  scanner.document()
  return scanner.duplicates
}

class Scanner {
  readonly duplicates: string[] = []
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#value('')
    const rest = this.#next()
    if (rest !== undefined) throw this.#unexpected(rest, 'after top-level value')
  }

  /** The next character that is not blank, without taking it. */
  #next(): string | undefined {
    while (this.#at < this.#text.length && ' \t\r\n'.includes(this.#text.charAt(this.#at))) this.#at += 1
    return this.#at < this.#text.length ? this.#text.charAt(this.#at) : undefined
  }

  #require(context: string, allowed: string): string {
    const character = this.#next()
    if (character === undefined) throw new JsonSyntaxError('unexpected end of JSON input')
    if (!allowed.includes(character)) throw this.#unexpected(character, context)
    return character
  }

  #value(path: string): void {
    const character = this.#next()
    if (character === undefined) throw new JsonSyntaxError('unexpected end of JSON input')
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new JsonSyntaxError('exceeded max depth')
    if (character === '{') this.#object(path)
    else if (character === '[') this.#array(path)
    else if (character === '"') this.#string()
    else if (character === '-' || (character >= '0' && character <= '9')) this.#number()
    else if ('tfn'.includes(character)) this.#literal({ t: 'true', f: 'false', n: 'null' }[character] ?? '')
    else throw this.#unexpected(character, 'looking for beginning of value')
    this.#depth -= 1
  }

  #object(path: string): void {
    this.#at += 1
    const seen = new Set<string>()
    if (this.#require('looking for beginning of object key string', '"}') === '}') {
      this.#at += 1
      return
    }
    for (;;) {
      this.#require('looking for beginning of object key string', '"')
      const key = this.#string()
      const child = path === '' ? key : `${path}.${key}`
      if (seen.has(key)) this.duplicates.push(child)
      seen.add(key)
      this.#require('after object key', ':')
      this.#at += 1
      this.#value(child)
      const after = this.#require('after object key:value pair', ',}')
      this.#at += 1
      if (after === '}') return
    }
  }

  #array(path: string): void {
    this.#at += 1
    if (this.#next() === ']') {
      this.#at += 1
      return
    }
    for (let index = 0; ; index += 1) {
      this.#value(`${path}[${index}]`)
      const after = this.#require('after array element', ',]')
      this.#at += 1
      if (after === ']') return
    }
  }

  #string(): string {
    const start = this.#at
    this.#at += 1
    for (;;) {
      const character = this.#text.charAt(this.#at)
      if (character === '') throw new JsonSyntaxError('unexpected end of JSON input')
      if (character === '"') break
      if (character < ' ') throw this.#unexpected(character, 'in string literal')
      if (character === '\\') this.#escape()
      this.#at += 1
    }
    this.#at += 1
    return JSON.parse(this.#text.slice(start, this.#at)) as string
  }

  #escape(): void {
    this.#at += 1
    const character = this.#text.charAt(this.#at)
    if (character === '') throw new JsonSyntaxError('unexpected end of JSON input')
    if (!'"\\/bfnrtu'.includes(character)) throw this.#unexpected(character, 'in string escape code')
    if (character !== 'u') return
    for (let digit = 0; digit < 4; digit += 1) {
      this.#at += 1
      const hex = this.#text.charAt(this.#at)
      if (hex === '') throw new JsonSyntaxError('unexpected end of JSON input')
      if (!/[0-9a-f]/i.test(hex)) throw this.#unexpected(hex, 'in \\u hexadecimal character escape')
    }
  }

  #number(): void {
    const [found] = /^-?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d*)?/.exec(this.#text.slice(this.#at, this.#at + 400)) ?? ['']
    this.#at += found.length
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(found)) return
    const character = this.#text.charAt(this.#at)
    if (character === '') throw new JsonSyntaxError('unexpected end of JSON input')
    const context =
      found.includes('e') || found.includes('E')
        ? 'in exponent of numeric literal'
        : found.includes('.')
          ? 'after decimal point in numeric literal'
          : 'in numeric literal'
    throw this.#unexpected(character, context)
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index += 1) {
      const expected = word.charAt(index)
      const character = this.#text.charAt(this.#at)
      if (character === '') throw new JsonSyntaxError('unexpected end of JSON input')
      if (character !== expected && index > 0) {
        throw this.#unexpected(character, `in literal ${word} (expecting '${expected}')`)
      }
      this.#at += 1
    }
  }

  #unexpected(character: string, context: string): JsonSyntaxError {
    const shown =
      character === "'" ? String.raw`'\''` : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`
    return new JsonSyntaxError(`invalid character ${shown} ${context}`)
  }
}
