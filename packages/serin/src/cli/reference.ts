/** `docs/reference/cli.md`, made from the table of commands; a test keeps the page and the table the same. */
import { type Command, flagHead } from './command.ts'
import { COMMANDS } from './commands.ts'
import { EXIT_MEANING } from './exit.ts'

export function cliReference(): string {
  return `${[
    '# The command line',
    '',
    'Data goes to stdout, everything else to stderr. Colour only on a terminal, never with `NO_COLOR` or `--no-color`.',
    'A command that talks to a running serin finds it through `--kubeconfig`, `--data`, `.serin/kubeconfig` or `$KUBECONFIG`, in this order.',
    '',
    '| exit code | meaning |',
    '|---|---|',
    ...EXIT_MEANING.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    ...COMMANDS.filter((command) => !command.name.startsWith('__')).flatMap(section),
  ].join('\n')}`
}

function section(command: Command): readonly string[] {
  const aliases = (command.aliases ?? []).map((alias) => `\`serin ${alias}\``)
  const flags = Object.entries(command.flags).filter(([, flag]) => flag.hidden !== true)
  return [
    `## serin ${command.name}`,
    '',
    `${command.summary}.${aliases.length > 0 ? ` Also: ${aliases.join(', ')}.` : ''}`,
    '',
    '```sh',
    `serin ${command.name}${command.usage === '' ? '' : ` ${command.usage}`}`,
    '```',
    '',
    ...(command.examples.length > 0
      ? ['```sh', ...command.examples.flatMap(([line, what]) => [`# ${what}`, line]), '```', '']
      : []),
    '| flag | |',
    '|---|---|',
    ...flags.map(([name, flag]) => `| \`${flagHead(name, flag).trim()}\` | ${flag.help.replaceAll('|', '\\|')} |`),
    '',
  ]
}
