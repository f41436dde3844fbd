/** What the words after a verb mean: `deploy helloworld`, `deploy/helloworld`, `pods,svc`, `all`. */
import { KINDS, type Kind } from '../resources/kinds.ts'
import { suggest } from '../resources/suggest.ts'
import { type Invocation, usageError } from './command.ts'

export interface Target {
  readonly kind: Kind
  /** Absent: all of the kind. */
  readonly name?: string
}

/** The kind that a person means by its plural, singular, short name, Kind or any of them with `.group`. Pure. */
export function kindOf(word: string): Kind | undefined {
  const lower = word.toLowerCase()
  return KINDS.find((kind) => namesOf(kind).some((name) => name === lower || lower === `${name}.${kind.group}`))
}

function namesOf(kind: Kind): readonly string[] {
  return [kind.plural, kind.singular, kind.kind.toLowerCase(), ...kind.shortNames]
}

/** All words that name a kind, for suggestions and completion. */
export function kindWords(): readonly string[] {
  return KINDS.flatMap(namesOf)
}

/** Throws CliError with a suggestion for a word that names no kind. */
function kindsOf(invocation: Invocation, word: string): readonly Kind[] {
  const category = KINDS.filter((kind) => kind.categories.includes(word))
  if (category.length > 0) return category
  const kind = kindOf(word)
  if (kind !== undefined) return [kind]
  const near = suggest(word, kindWords())
  throw usageError(
    invocation.command,
    `there is no kind "${word}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
  )
}

/** Understands `KIND[,KIND] [NAME…]` and `KIND/NAME…`. */
export function targetsOf(invocation: Invocation, words: readonly string[]): readonly Target[] {
  const [first, ...names] = words
  if (first === undefined) throw usageError(invocation.command, 'which kind? For example: pods, deploy, mappings')
  if (words.some((word) => word.includes('/'))) return words.map((word) => slashTarget(invocation, word))
  const kinds = first
    .split(',')
    .filter((word) => word !== '')
    .flatMap((word) => kindsOf(invocation, word))
  if (names.length === 0) return kinds.map((kind) => ({ kind }))
  return kinds.flatMap((kind) => names.map((name) => ({ kind, name })))
}

function slashTarget(invocation: Invocation, word: string): Target {
  const [kindWord = '', name = '', more] = word.split('/')
  const [kind] = kindsOf(invocation, kindWord)
  if (kind === undefined || name === '' || more !== undefined) {
    throw usageError(invocation.command, `"${word}" is not KIND/NAME`)
  }
  return { kind, name }
}

/** One object: `KIND NAME` or `KIND/NAME`. */
export function oneTarget(invocation: Invocation, words: readonly string[]): Required<Target> {
  const [target, another] = targetsOf(invocation, words)
  if (target?.name === undefined || another !== undefined) {
    throw usageError(invocation.command, 'name one object: KIND NAME or KIND/NAME')
  }
  return { kind: target.kind, name: target.name }
}

/** `deployment.apps/helloworld`, `mapping.getambassador.io/a`, `pod/b`: as kubectl names things. Pure. */
export function displayName(kind: Kind, name: string): string {
  return `${kind.singular}${kind.group === '' ? '' : `.${kind.group}`}/${name}`
}

/** `30s`, `5m`, `1h30m`, or plain seconds → milliseconds. Throws CliError. */
export function durationMs(invocation: Invocation, name: string): number | undefined {
  const text = invocation.string(name)
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw usageError(invocation.command, `--${name} takes a time such as 30s or 5m, not "${text}"`)
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0)
}
