import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createContainerRuntime } from '../src/workloads/runtimes/container.ts'
import { findEngine } from '../src/workloads/runtimes/engine.ts'
import { readLog } from '../src/workloads/runtimes/log-file.ts'
import { createProcessRuntime } from '../src/workloads/runtimes/process.ts'
import {
  textOf,
  StartError,
  type ContainerSpec,
  type Launch,
  type RunningContainer,
  type Runtime,
} from '../src/workloads/runtimes/runtime.ts'
import { BASE_IMAGE, engineFailure } from './workloads-engine.ts'
import { until } from './workloads-pods.ts'

/** What every runtime keeps to: processes of this machine, and containers where podman or docker is. */

interface Maker {
  readonly title: string
  /** The reason why it cannot run here. */
  readonly leftOut: string | false
  make(directory: string): Runtime
  launch(argv: readonly string[], directory: string): Launch
}

const engine = findEngine()

const MAKERS: readonly Maker[] = [
  {
    title: 'process',
    leftOut: false,
    make: (directory) => createProcessRuntime(directory),
    launch: (argv, directory) => ({ type: 'process', argv, directory, imageId: '' }),
  },
  {
    title: 'container',
    leftOut: engineFailure(),
    make: (directory) => createContainerRuntime(engine ?? { program: '', options: [], runOptions: [] }, directory),
    launch: (command) => ({ type: 'container', image: BASE_IMAGE, command, imageId: '' }),
  },
]

for (const maker of MAKERS) {
  describe(`runtime ${maker.title}`, { skip: maker.leftOut, concurrency: 2 }, () => {
    let directory: string
    let runtime: Runtime
    const pods: string[] = []

    before(() => {
      directory = mkdtempSync(join(tmpdir(), 'serin-runtime-'))
      runtime = maker.make(directory)
    })

    after(async () => {
      await Promise.all(pods.map((uid) => runtime.sweep(uid)))
      rmSync(directory, { recursive: true, force: true })
    })

    const spec = (argv: readonly string[], extra: Partial<ContainerSpec> = {}): ContainerSpec => {
      const podUid = randomUUID()
      pods.push(podUid)
      return {
        podUid,
        namespace: 'default',
        podName: 'pod',
        name: 'web',
        attempt: 0,
        launch: maker.launch(argv, directory),
        environment: { PATH: process.env['PATH'] ?? '', COLOR: 'dark "blue"\nsecond line' },
        logFile: join(directory, podUid, '0.log'),
        ports: [],
        mounts: [],
        limits: {},
        ...extra,
      }
    }

    const logOf = async (
      from: ContainerSpec,
      options: { tailLines?: number; timestamps?: boolean } = {},
    ): Promise<string> => {
      const all = { follow: false, timestamps: false, ...options }
      const chunks: Uint8Array[] = []
      for await (const chunk of runtime.log?.(from, all) ?? readLog(from.logFile, all, () => true)) chunks.push(chunk)
      return Buffer.concat(chunks).toString('utf8')
    }

    const shell = (script: string): string[] => ['/bin/sh', '-c', script]

    test('a program runs with its environment, its output is kept, its exit code is told', async () => {
      const wanted = spec(shell('echo "$COLOR"; echo oops >&2; exit 3'))
      const running = await runtime.start(wanted)
      const { exitCode, at } = await running.exited
      assert.equal(exitCode, 3)
      assert.ok(Math.abs(Date.now() - at) < 60_000)
      assert.equal((await logOf(wanted)).split('\n').toSorted().join('|'), '|dark "blue"|oops|second line')
      assert.equal(await logOf(wanted, { tailLines: 1 }).then((text) => text.split('\n').length), 2)
      assert.match(await logOf(wanted, { timestamps: true }), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* /m)
    })

    test('a program that is signalled ends by its handler, or by the signal', async () => {
      const polite = await runtime.start(spec(shell('trap "exit 9" TERM; echo up; while true; do sleep 0.05; done')))
      const rude = await runtime.start(spec(['/bin/sleep', '1000']))
      await new Promise((resolve) => setTimeout(resolve, 300))
      polite.signal('SIGTERM')
      assert.equal((await polite.exited).exitCode, 9)
      rude.signal('SIGKILL')
      assert.equal((await rude.exited).exitCode, 137)
    })

    test('what a program left behind ends with it', async () => {
      const running = await runtime.start(spec(shell('sleep 987 & exit 0')))
      assert.equal((await running.exited).exitCode, 0)
      await until('nothing is left', () => spawnSync('pgrep', ['-f', 'sleep 987']).status !== 0)
    })

    test('a command runs beside the program, with its input, output, environment and exit code', async () => {
      const running = await runtime.start(spec(['/bin/sleep', '1000']))
      const session = await running.exec({
        command: shell('cat; echo "$COLOR"; echo bad >&2; exit 4'),
        stdin: true,
        tty: false,
      })
      session.stdin?.end('in ')
      const [output, errors, code] = await Promise.all([
        textOf(session.stdout, 1000),
        session.stderr === undefined ? '' : textOf(session.stderr, 1000),
        session.exit,
      ])
      assert.equal(output, 'in dark "blue"\nsecond line\n')
      assert.equal(errors, 'bad\n')
      assert.equal(code, 4)
      await end(running)
    })

    test('another control process finds the container and sees it end', async () => {
      // Of a directory of its own: strays of this one are other tests' containers.
      const own = join(directory, 'own')
      const running = await maker
        .make(own)
        .start(spec(['/bin/sleep', '1000'], { launch: maker.launch(['/bin/sleep', '1000'], '/') }))
      const record = JSON.parse(JSON.stringify(running.record)) as typeof running.record
      const second = maker.make(own)
      await second.endStrays([record])
      const adopted = await second.adopt(record)
      assert.equal(adopted?.id, running.id)
      adopted?.signal('SIGKILL')
      assert.equal((await adopted?.exited)?.exitCode, 137)
      await running.exited
      assert.equal(await second.adopt(record), undefined)
      // Its record is gone by then, and so is the pod's for whoever comes third: what is left of it is a stray.
      await maker.make(own).endStrays([])
      const filter = ['--filter', `label=serin.dev/pods=${own}`]
      const left = (): string =>
        engine === undefined ? '' : spawnSync(engine.program, ['ps', '--all', '--quiet', ...filter]).stdout.toString()
      await until('it is removed', () => left() === '')
    })

    test('a program tells what it uses', async () => {
      const running = await runtime.start(
        spec([process.execPath, '-e', 'while (process.cpuUsage().user < 300_000); setInterval(() => {}, 1000)']),
      )
      const usage = await until('it has worked', async () => {
        const now = await running.usage()
        return now !== undefined && now.cpuMs >= 200 ? now : undefined
      })
      assert.ok(usage.memoryBytes > 1_000_000, String(usage.memoryBytes))
      await end(running)
    })

    test('a port of the container is reached on 127.0.0.1', async () => {
      const port = await freePort()
      const script = `require('http').createServer((q, r) => r.end('here')).listen(process.env.PORT, process.env.HOST)`
      const isProcess = maker.title === 'process'
      const running = await runtime.start(
        spec([process.execPath, '-e', script], {
          environment: { PORT: String(isProcess ? port : 8000), HOST: isProcess ? '127.0.0.1' : '0.0.0.0' },
          ports: [{ containerPort: 8000, port }],
        }),
      )
      const body = await until(
        'it answers',
        () =>
          new Promise<string | undefined>((resolve) => {
            get({ port, host: '127.0.0.1' }, (response) => {
              response.setEncoding('utf8').once('data', resolve)
              response.once('error', () => resolve(undefined))
            }).once('error', () => resolve(undefined))
          }),
      )
      assert.equal(body, 'here')
      await end(running)
    })

    test(
      'a volume lies where the container looks for it',
      { skip: process.getuid?.() === 0 ? false : 'mounts need root' },
      async () => {
        const source = join(directory, 'volume')
        mkdirSync(source)
        writeFileSync(join(source, 'note'), 'from the volume')
        const target = join(directory, 'there', 'volume')
        const wanted = spec(shell(`cat ${target}/note; echo no > ${target}/other`), {
          mounts: [{ source, target, readOnly: true }],
        })
        const running = await runtime.start(wanted)
        assert.notEqual((await running.exited).exitCode, 0)
        assert.match(await logOf(wanted), /^from the volume/)
        assert.ok(!existsSync(join(source, 'other')))
      },
    )

    test(
      'a user can be given',
      { skip: process.getuid?.() === 0 ? false : 'only root can be somebody else' },
      async () => {
        const wanted = spec(['/usr/bin/id', '-u'], {
          user: { uid: 12345 },
          launch: maker.launch(['/usr/bin/id', '-u'], '/'),
        })
        await (
          await runtime.start(wanted)
        ).exited
        assert.equal(await logOf(wanted), '12345\n')
      },
    )

    test('a program that cannot be started is a StartError with a sentence', async () => {
      await assert.rejects(
        runtime.start(spec(['/no/such/program'])),
        (error: unknown) => error instanceof StartError && error.message.length > 10,
      )
    })

    test('strays of a pod end with a sweep', async () => {
      const wanted = spec(shell('sleep 1000'))
      const running = await runtime.start(wanted)
      await runtime.sweep(wanted.podUid)
      await running.exited
    })

    async function end(running: RunningContainer): Promise<void> {
      running.signal('SIGKILL')
      await running.exited
    }
  })
}

test('output at full speed is kept without loss, and what is too old is freed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'serin-log-'))
  const runtime = createProcessRuntime(directory)
  const { LogKeeper } = await import('../src/workloads/runtimes/log-file.ts')
  const logFile = join(directory, '0.log')
  const lines = 600_000
  const script = `const fs = require('fs'); let i = 0; while (i < ${String(lines)}) { let s = ''; for (let n = 0; n < 1000; n++) s += 'line ' + String(i++).padStart(8, '0') + ' ' + 'x'.repeat(84) + '\\n'; fs.writeSync(1, s) }`
  const running = await runtime.start({
    podUid: 'loud',
    namespace: 'default',
    podName: 'loud',
    name: 'web',
    attempt: 0,
    launch: { type: 'process', argv: [process.execPath, '-e', script], directory, imageId: '' },
    environment: {},
    logFile,
    ports: [],
    mounts: [],
    limits: {},
  })
  const keeper = new LogKeeper(logFile)
  assert.equal((await running.exited).exitCode, 0)
  const { start } = await until('it is measured', () => {
    const index = existsSync(`${logFile}.index`)
      ? (JSON.parse(readFileSync(`${logFile}.index`, 'utf8')) as { start: number })
      : undefined
    return index !== undefined && statSync(logFile).size - index.start <= 12_500_000 ? index : undefined
  })
  keeper.stop()
  const chunks: Buffer[] = []
  for await (const chunk of readLog(logFile, { follow: false, timestamps: false }, () => true)) chunks.push(chunk)
  const kept = Buffer.concat(chunks).toString('utf8').trimEnd().split('\n')
  const numbers = kept.map((line) => Number(line.slice(5, 13)))
  assert.equal(numbers.at(-1), lines - 1)
  assert.ok(
    numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1),
    'no line is missing',
  )
  assert.ok(
    start > 0 && statSync(logFile).blocks * 512 < 20_000_000,
    `${String(statSync(logFile).blocks * 512)} bytes on disk`,
  )
  rmSync(directory, { recursive: true, force: true })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
