/**
 * How a Dockerfile says that its image is started: ENV, WORKDIR, USER, ENTRYPOINT, CMD of the last stage and of the stages it is built on.
 * Nothing is built: files are taken as they lie in the directory. Pure. Source: Dockerfile reference.
 */
export interface ImageStart {
  readonly environment: Readonly<Record<string, string>>
  readonly workingDirectory: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
}

interface Stage {
  environment: Record<string, string>
  workingDirectory: string
  entrypoint: readonly string[]
  command: readonly string[]
}

const EMPTY: ImageStart = { environment: {}, workingDirectory: '/', entrypoint: [], command: [] }

export function readDockerfile(text: string): ImageStart {
  const stages = new Map<string, Stage>()
  let stage: Stage = { ...EMPTY, environment: {} }
  for (const { instruction, rest } of instructions(text)) {
    if (instruction === 'FROM') {
      const [image = '', as, name] = rest.split(/\s+/).filter((word) => !word.startsWith('--'))
      const base = stages.get(image.toLowerCase()) ?? EMPTY
      stage = { ...base, environment: { ...base.environment } }
      if (as?.toUpperCase() === 'AS' && name !== undefined) stages.set(name.toLowerCase(), stage)
    } else APPLY[instruction]?.(stage, rest)
  }
  return stage
}

const APPLY: Readonly<Record<string, (stage: Stage, rest: string) => void>> = {
  ENV: (stage, rest) => {
    for (const [name, value] of pairs(rest)) stage.environment[name] = expanded(value, stage.environment)
  },
  WORKDIR: (stage, rest) => {
    const path = expanded(unquoted(rest), stage.environment)
    stage.workingDirectory = path.startsWith('/') ? path : `${stage.workingDirectory.replace(/\/$/, '')}/${path}`
  },
  ENTRYPOINT: (stage, rest) => {
    stage.entrypoint = argv(rest)
    // A new entry point takes the command of the base image away.
    stage.command = []
  },
  CMD: (stage, rest) => {
    stage.command = argv(rest)
  },
}

/** Logical lines: continued ones joined, comments and blank lines left out. */
function instructions(text: string): readonly { instruction: string; rest: string }[] {
  const escape = /^#\s*escape\s*=\s*`/im.test(text.split('\n', 1)[0] ?? '') ? '`' : '\\'
  const logical: string[] = []
  let continued = ''
  for (const raw of text.split(/\r?\n/)) {
    if (/^\s*#/.test(raw) || (continued !== '' && raw.trim() === '')) continue
    const line = raw.trimEnd()
    if (line.endsWith(escape)) continued += `${line.slice(0, -1)} `
    else {
      logical.push(`${continued}${line}`.trim())
      continued = ''
    }
  }
  logical.push(continued.trim())
  return logical.flatMap((line) => {
    const match = /^([A-Za-z]+)\s+([\s\S]+)$/.exec(line)
    return match === null ? [] : [{ instruction: (match[1] ?? '').toUpperCase(), rest: (match[2] ?? '').trim() }]
  })
}

/** `["a", "b"]`, or a line for the shell. */
function argv(rest: string): readonly string[] {
  if (rest.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(rest)
      if (Array.isArray(parsed) && parsed.every((entry) => typeof entry === 'string')) return parsed
    } catch {
      // Not JSON: Docker takes it for a shell line, too.
    }
  }
  return ['/bin/sh', '-c', rest]
}

/** `A=1 B="two words"`, or the old `A the rest`. */
function pairs(rest: string): readonly (readonly [string, string])[] {
  if (!/^[^\s=]+=/.test(rest)) {
    const match = /^(\S+)\s+([\s\S]*)$/.exec(rest)
    return match === null ? [] : [[match[1] ?? '', match[2] ?? '']]
  }
  const found = rest.matchAll(/([^\s=]+)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s\\]|\\.)*)/g)
  return Array.from(found, ([, name = '', value = '']) => [name, unquoted(value)] as const)
}

function unquoted(text: string): string {
  const quoted = /^(["'])([\s\S]*)\1$/.exec(text)
  return (quoted === null ? text : (quoted[2] ?? '')).replaceAll(/\\(.)/g, '$1')
}

/** `$NAME` and `${NAME}` of what was set before. */
function expanded(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_whole, braced?: string, bare?: string) => environment[braced ?? bare ?? ''] ?? '',
  )
}
