/** `serin completion`: scripts that ask the hidden `serin __complete` what could follow; names of resources come live from the API. */
import type { KubeObject } from '../resources/object.ts'
import { pathOf } from '../store/remote.ts'
import { Client, DEFAULT_DATA } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { commandNames, findCommand } from './commands.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { kindOf, kindWords } from './targets.ts'
import { dataDirectory } from '../data-directory.ts'
import { readKubeconfig } from '../store/kubeconfig.ts'

/** `${words}` are passed with the word under the cursor last, even if it is empty. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_serin() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(serin __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _serin serin
`,
  zsh: `#compdef serin
_serin() {
  local -a found
  found=("\${(@f)$(serin __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#found} )) && [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _serin serin
`,
  fish: `complete -c serin -f -a '(serin __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
complete -c serin -s f -l filename -r -F
`,
}

export function completion(invocation: Invocation): Promise<number> {
  const script = SCRIPTS[invocation.positionals[0] ?? '']
  if (script === undefined) throw usageError(invocation.command, `which shell? ${Object.keys(SCRIPTS).join(', ')}`)
  print(script)
  return Promise.resolve(EXIT.done)
}

/** Prints candidates, one a line. Never fails: a shell is waiting. */
export async function complete(invocation: Invocation): Promise<number> {
  const words = invocation.positionals
  const candidates = await candidatesFor(words).catch(() => [])
  print(candidates.map((candidate) => `${candidate}\n`).join(''))
  return EXIT.done
}

/** What could be the last of these words. */
export async function candidatesFor(words: readonly string[]): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const [name, ...rest] = before
  if (name === undefined) return matching(commandNames(), current)
  const command = findCommand(name)
  if (command === undefined) return []
  if (current.startsWith('-')) {
    const flags = Object.entries(command.flags).filter(([, flag]) => flag.hidden !== true)
    return matching(
      flags.map(([flag]) => `--${flag}`),
      current,
    )
  }
  const positionals = rest.filter((word) => !word.startsWith('-'))
  if (command.words !== undefined && positionals.length === 0) return matching(command.words, current)
  if (name === 'rollout' && positionals.length === 1) return matching(['deployment'], current)
  if (name === 'rollout') return matching(await liveNames('deployment', rest), current)
  if (name === 'logs') return matching(await liveNames('pod', rest), current)
  if (command.completes === 'kinds' && positionals.length === 0) return matching(kindWords(), current)
  if (command.completes === 'kinds') return matching(await liveNames(positionals[0]!, rest), current)
  return []
}

function matching(candidates: readonly string[], start: string): readonly string[] {
  return candidates.filter((candidate) => candidate.startsWith(start)).sort()
}

async function liveNames(kindWord: string, words: readonly string[]): Promise<readonly string[]> {
  const kind = kindOf(kindWord)
  if (kind === undefined) return []
  const data = valueOf(words, '--data') ?? DEFAULT_DATA
  const path = valueOf(words, '--kubeconfig') ?? dataDirectory(data).kubeconfig
  const namespace = valueOf(words, '-n') ?? valueOf(words, '--namespace') ?? 'default'
  const client = new Client(readKubeconfig(path), path)
  try {
    const list = await client.json<{ items: KubeObject[] }>(pathOf(kind, { namespace }))
    return list.items.map((item) => item.metadata.name)
  } finally {
    client.close()
  }
}

function valueOf(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag)
  return at === -1 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1]
}
