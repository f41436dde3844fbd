/** Every command of `serin`: the table that the parser, the help, the completion and `docs/reference/cli.md` read. */
import type { Command, Flag, FlagTable } from './command.ts'

const COMMON: FlagTable = {
  help: { type: 'boolean', short: 'h', help: 'show this help' },
  'no-color': { type: 'boolean', help: 'no colours (as NO_COLOR does)' },
}

const DATA: FlagTable = {
  data: { type: 'string', value: 'DIR', help: 'the data directory of the serin that is meant (default .serin)' },
}

/** How a command finds the API it talks to. */
const CONNECTION: FlagTable = {
  namespace: { type: 'string', short: 'n', value: 'NAME', help: 'the namespace (default: default)' },
  ...DATA,
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    help: 'talk to the API that this file names (default: DIR/kubeconfig, then $KUBECONFIG)',
  },
}

const FILENAME: Flag = {
  type: 'string',
  short: 'f',
  multiple: true,
  value: 'PATH',
  help: 'a file, a directory, or - for stdin; may be repeated',
}
const IMAGE: Flag = {
  type: 'string',
  multiple: true,
  value: 'NAME=DIR',
  help: 'start containers of image NAME from this directory; may be repeated',
}
const SELECTOR: Flag = {
  type: 'string',
  short: 'l',
  value: 'SELECTOR',
  help: 'only objects with these labels: app=web,tier!=db',
}
const TIMEOUT: Flag = { type: 'string', value: 'TIME', help: 'give up after this long: 30s, 5m (default: never)' }
const OUTPUT_NAME: Flag = { type: 'string', short: 'o', value: 'FORMAT', help: 'json, yaml or name' }
const DRY_RUN: Flag = { type: 'boolean', help: 'say what would happen, change nothing' }

export const ROLLOUT_ACTIONS: readonly string[] = ['status', 'restart', 'undo', 'history', 'pause', 'resume']

export const COMMANDS: readonly Command[] = [
  {
    name: 'up',
    aliases: ['run', 'start'],
    summary: 'Start the API, the pods and the gateway on this machine, and keep them running',
    usage:
      '[-f PATH]… [--image NAME=DIR]… [--data DIR] [--api HOST:PORT] [--console HOST:PORT] [--bind ADDRESS] [--workers N] [--runtime RUNTIME] [--lb-range RANGE] [-d]',
    examples: [
      ['serin up -f k8s/', 'run what these files describe'],
      ['serin up -f k8s/ -d', 'the same, in the background; ends with: serin down'],
      ['serin up', 'start again with what is stored'],
      ['serin up -f k8s/ --image web=./web', 'containers of image web run from ./web'],
    ],
    flags: {
      filename: FILENAME,
      image: IMAGE,
      ...DATA,
      api: { type: 'string', value: 'HOST:PORT', help: 'where the Kubernetes API listens (default 127.0.0.1:6440)' },
      console: {
        type: 'string',
        value: 'HOST:PORT',
        help: 'where /metrics and health answer (default 127.0.0.1:6441, else the next free port)',
      },
      bind: {
        type: 'string',
        value: 'ADDRESS',
        help: 'the address the ports of Listeners are opened on (default 127.0.0.1)',
      },
      workers: { type: 'string', value: 'N', help: 'gateway workers (default: the number of cores)' },
      runtime: {
        type: 'string',
        value: 'RUNTIME',
        help: 'how pods run: auto, process, container, or none (somebody else plays the kubelet; default auto)',
      },
      'lb-range': {
        type: 'string',
        value: 'RANGE',
        help: 'addresses for Services of type LoadBalancer, or none (default 127.112.0.0/16)',
      },
      detach: { type: 'boolean', short: 'd', help: 'return when everything is ready and leave it in the background' },
      ...COMMON,
    },
    load: async () => (await import('./up.ts')).up,
  },
  {
    name: 'down',
    aliases: ['stop'],
    summary: 'Drain and end the serin of a data directory, with its gateway and its pods',
    usage: '[--data DIR]',
    examples: [['serin down', 'end the serin of .serin']],
    flags: { ...DATA, ...COMMON },
    load: async () => (await import('./down.ts')).down,
  },
  {
    name: 'apply',
    summary: 'Create or change resources from files',
    usage: '-f PATH…',
    examples: [
      ['serin apply -f canary.yaml', 'create or change what the file describes'],
      ['cat canary.yaml | serin apply -f -', 'read from stdin'],
    ],
    flags: { filename: FILENAME, image: IMAGE, 'dry-run': DRY_RUN, output: OUTPUT_NAME, ...CONNECTION, ...COMMON },
    load: async () => (await import('./apply.ts')).apply,
  },
  {
    name: 'get',
    aliases: ['ls', 'ps'],
    summary: 'Show resources',
    usage: 'KIND[,KIND…] [NAME…] | KIND/NAME…',
    examples: [
      ['serin get mappings', 'all Mappings of the namespace'],
      ['serin get deploy/helloworld -o yaml', 'one Deployment in full'],
      ['serin get pods -w', 'and go on showing what changes'],
    ],
    flags: {
      output: { type: 'string', short: 'o', value: 'FORMAT', help: 'wide, json, yaml or name (default: a table)' },
      watch: { type: 'boolean', short: 'w', help: 'go on and show every change' },
      selector: SELECTOR,
      'field-selector': {
        type: 'string',
        value: 'SELECTOR',
        help: 'only objects with these fields: metadata.name=web',
      },
      'all-namespaces': { type: 'boolean', short: 'A', help: 'of all namespaces' },
      'show-labels': { type: 'boolean', help: 'labels as the last column' },
      'no-headers': { type: 'boolean', help: 'no column heads' },
      'ignore-not-found': { type: 'boolean', help: 'exit 0 when there is no such object' },
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 100,
    completes: 'kinds',
    load: async () => (await import('./get.ts')).get,
  },
  {
    name: 'delete',
    summary: 'Delete resources',
    usage: 'KIND NAME… | KIND/NAME… | -f PATH…',
    examples: [
      ['serin delete mapping helloworld-backend', 'one Mapping'],
      ['serin delete -f canary.yaml', 'all that the file names'],
    ],
    flags: {
      filename: FILENAME,
      selector: SELECTOR,
      all: { type: 'boolean', help: 'all objects of the kind in the namespace' },
      'ignore-not-found': { type: 'boolean', help: 'exit 0 when there is no such object' },
      wait: { type: 'boolean', help: 'return when it is gone (default true)' },
      'grace-period': { type: 'string', value: 'SECONDS', help: 'how long a pod may take to stop' },
      timeout: TIMEOUT,
      output: OUTPUT_NAME,
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 100,
    completes: 'kinds',
    load: async () => (await import('./delete.ts')).deleteResources,
  },
  {
    name: 'patch',
    summary: 'Change some fields of a resource',
    usage: 'KIND NAME -p PATCH',
    examples: [
      [`serin patch mapping helloworld-backend-v2 -p '{"spec":{"weight":50}}'`, 'widen a canary'],
      [`serin patch deploy web --type=json -p '[{"op":"remove","path":"/spec/paused"}]'`, 'a JSON patch'],
    ],
    flags: {
      patch: { type: 'string', short: 'p', value: 'PATCH', help: 'the patch, as JSON or YAML' },
      type: {
        type: 'string',
        value: 'TYPE',
        help: 'merge, json or strategic (default: strategic where the kind knows it, else merge)',
      },
      'dry-run': DRY_RUN,
      output: OUTPUT_NAME,
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 2,
    completes: 'kinds',
    load: async () => (await import('./patch.ts')).patch,
  },
  {
    name: 'rollout',
    summary: 'Watch, restart, pause or take back the rollout of a Deployment',
    usage: `${ROLLOUT_ACTIONS.join('|')} deploy NAME`,
    examples: [
      ['serin rollout restart deploy helloworld', 'replace all pods, a few at a time'],
      ['serin rollout status deploy helloworld', 'wait until it is done'],
      ['serin rollout undo deploy helloworld', 'back to the revision before'],
    ],
    flags: {
      'to-revision': { type: 'string', value: 'N', help: 'undo: go back to this revision (see history)' },
      revision: {
        type: 'string',
        value: 'N',
        help: 'history: show this revision; status: fail when it is replaced by another',
      },
      watch: { type: 'boolean', short: 'w', help: 'status: wait for the end (default true)' },
      timeout: TIMEOUT,
      output: OUTPUT_NAME,
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 3,
    words: ROLLOUT_ACTIONS,
    load: async () => (await import('./rollout.ts')).rollout,
  },
  {
    name: 'scale',
    summary: 'Set the number of replicas',
    usage: 'deploy NAME --replicas N',
    examples: [['serin scale deploy helloworld --replicas 6', 'six pods']],
    flags: {
      replicas: { type: 'string', value: 'N', help: 'the new number' },
      'current-replicas': { type: 'string', value: 'N', help: 'change nothing unless this is the number now' },
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 2,
    completes: 'kinds',
    load: async () => (await import('./scale.ts')).scale,
  },
  {
    name: 'logs',
    summary: 'Show what pods write',
    usage: 'POD | deploy/NAME | -l SELECTOR',
    examples: [
      ['serin logs deploy/helloworld -f', 'all pods of a Deployment, and go on'],
      ['serin logs helloworld-7d4c9-x2x1p --previous', 'of the run before the last restart'],
    ],
    flags: {
      follow: { type: 'boolean', short: 'f', help: 'go on and show what is written' },
      previous: { type: 'boolean', short: 'p', help: 'of the container that ran before' },
      tail: { type: 'string', value: 'N', help: 'only the last N lines' },
      since: { type: 'string', value: 'TIME', help: 'only what is newer: 30s, 5m' },
      timestamps: { type: 'boolean', help: 'with the time of each line' },
      container: { type: 'string', short: 'c', value: 'NAME', help: 'the container (default: the first)' },
      selector: SELECTOR,
      prefix: { type: 'boolean', help: 'the name of the pod before each line (default: when there are several)' },
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 2,
    load: async () => (await import('./logs.ts')).logs,
  },
  {
    name: 'lint',
    aliases: ['validate', 'check'],
    summary: 'Find the mistakes in files, without a running serin',
    usage: 'PATH… | -f PATH…',
    examples: [
      ['serin lint k8s/', 'all mistakes, with file, line and column'],
      ['serin lint k8s/ --format github', 'as annotations of a GitHub workflow'],
    ],
    flags: {
      filename: FILENAME,
      format: { type: 'string', value: 'FORMAT', help: 'text, json, github or sarif (default text)' },
      ...COMMON,
    },
    argumentsMax: 100,
    load: async () => (await import('./lint.ts')).lint,
  },
  {
    name: 'explain',
    aliases: ['why', 'route'],
    summary: 'Say which Mapping takes a request, and why',
    usage: "'[METHOD] URL' [-H 'NAME: VALUE']… [-f PATH…]",
    examples: [
      ["serin explain 'GET http://localhost:8080/helloworld/'", 'asks the running serin'],
      ["serin explain /helloworld/ -H 'x-user: ann' -f k8s/", 'asks the files, offline'],
    ],
    flags: {
      header: {
        type: 'string',
        short: 'H',
        multiple: true,
        value: 'HEADER',
        help: 'a header of the request; may be repeated',
      },
      filename: FILENAME,
      output: { type: 'string', short: 'o', value: 'FORMAT', help: 'text or json (default text)' },
      ...CONNECTION,
      ...COMMON,
    },
    argumentsMax: 2,
    load: async () => (await import('./explain.ts')).explain,
  },
  {
    name: 'demo',
    summary: 'Play the story of the tutorial against a serin of its own, with live traffic',
    usage: '',
    examples: [['serin demo', 'watch a rolling restart and a canary without a failed request']],
    flags: {
      end: { type: 'boolean', help: 'end when the story is told (default: when this is no terminal)' },
      example: { type: 'string', value: 'DIR', help: 'the directory of the example', hidden: true },
      ...COMMON,
    },
    load: async () => (await import('./demo.ts')).demo,
  },
  {
    name: 'backup',
    summary: 'Write all that is stored to one file, of a running or an ended serin',
    usage: 'FILE',
    examples: [['serin backup monday.serin', 'what `serin restore` reads']],
    flags: { ...DATA, ...COMMON },
    argumentsMax: 1,
    load: async () => (await import('./backup.ts')).backup,
  },
  {
    name: 'restore',
    summary: 'Fill an empty data directory from a backup',
    usage: 'FILE',
    examples: [['serin restore monday.serin --data new', 'then: serin up --data new']],
    flags: { ...DATA, ...COMMON },
    argumentsMax: 1,
    load: async () => (await import('./backup.ts')).restore,
  },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell',
    usage: 'bash|zsh|fish',
    examples: [['source <(serin completion bash)', 'for this shell']],
    flags: { ...COMMON },
    argumentsMax: 1,
    words: ['bash', 'zsh', 'fish'],
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    name: 'api',
    summary: 'Compare two OpenAPI documents; ends with 1 if the new one breaks clients of the old one',
    usage: 'diff OLD NEW [-o text|json] [--all]',
    examples: [
      ['serin api diff openapi/v1.json http://localhost:3000/v1/openapi.json', 'has version 1 been broken?'],
      ['git show main:openapi.yaml | serin api diff - openapi.yaml', 'against what is on main'],
    ],
    flags: {
      output: { type: 'string', short: 'o', value: 'FORMAT', help: 'text or json (default text)' },
      all: { type: 'boolean', help: 'show harmless additions too' },
      ...COMMON,
    },
    argumentsMax: 3,
    words: ['diff'],
    load: async () => (await import('./api-diff.ts')).apiDiff,
  },
  {
    name: 'version',
    summary: 'Print the version',
    usage: '',
    examples: [['serin version -o json', 'for programs']],
    flags: { output: { type: 'string', short: 'o', value: 'FORMAT', help: 'text or json (default text)' }, ...COMMON },
    load: async () => (await import('./version.ts')).version,
  },
  {
    name: 'gateway',
    summary: 'Run a gateway alone, for the API that a kubeconfig names',
    usage: '[--kubeconfig FILE] [--bind ADDRESS] [--workers N] [--metrics HOST:PORT]',
    examples: [['serin gateway --kubeconfig ~/.kube/config --bind 0.0.0.0', 'the gateway of a cluster']],
    flags: {
      kubeconfig: {
        type: 'string',
        value: 'FILE',
        help: 'the API to watch (default: $KUBECONFIG, then that of the cluster this pod runs in)',
      },
      bind: {
        type: 'string',
        value: 'ADDRESS',
        help: 'the address the ports of Listeners are opened on (default 127.0.0.1)',
      },
      workers: { type: 'string', value: 'N', help: 'workers (default: the number of cores)' },
      metrics: { type: 'string', value: 'HOST:PORT', help: 'where /metrics answers (default: nowhere)' },
      'run-directory': { type: 'string', value: 'DIR', help: 'where pid file and socket stand', hidden: true },
      ...COMMON,
    },
    hidden: true,
    load: async () => (await import('./gateway.ts')).gateway,
  },
  {
    name: '__complete',
    summary: 'Print what could follow',
    usage: 'WORD…',
    examples: [],
    flags: {},
    argumentsMax: 100,
    hidden: true,
    load: async () => (await import('./completion.ts')).complete,
  },
]

const byName = new Map(
  COMMANDS.flatMap((command) => [command.name, ...(command.aliases ?? [])].map((name) => [name, command])),
)

/** By name or alias. Pure. */
export function findCommand(name: string): Command | undefined {
  return byName.get(name)
}

/** All names and aliases that are shown, for suggestions. Pure. */
export function commandNames(): readonly string[] {
  return COMMANDS.filter((command) => command.hidden !== true).flatMap((command) => [
    command.name,
    ...(command.aliases ?? []),
  ])
}
