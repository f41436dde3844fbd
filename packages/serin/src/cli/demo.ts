/**
 * `serin demo`: plays the story of the tutorial against a serin of its own, with live traffic, and holds it to its word: every
 * command is shown as a person would type it, every promise is counted, and one failed request makes it fail.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Invocation } from './command.ts'
import { DemoSerin } from './demo-serin.ts'
import { exampleDirectory } from './example.ts'
import { EXIT } from './exit.ts'
import { findKubectl } from './kubectl.ts'
import { askMany, askOnce, type Load, startLoad } from './load.ts'
import { watchPods } from './pod-watch.ts'
import { grouped, ICONS, LiveLine, paint, print } from './output.ts'

/** Gentle enough for a small machine: what counts is that none fails. */
const CLIENTS_KEEP_ALIVE = 4
const CLIENTS_CLOSE = 2
const PAUSE_MS = 4
const LIVE_EVERY_MS = 100
/** How many requests the split is counted over, and how far it may be off. */
const COUNTED = 1_000
const COUNTED_OFF_MAX = 3
/** After the answer to a patch, the old split may be seen for this long. */
const EFFECT_MS_MAX = 50
const POD_COUNT_MAX = 5
const READY_PODS_MIN = 3

interface Promise_ {
  readonly text: string
  readonly held: boolean
}

export async function demo(invocation: Invocation): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'serin-demo-'))
  const example = exampleDirectory(invocation.string('example'))
  const serin = new DemoSerin({ directory, example, kubectl: await findKubectl() })
  const story = new Story(serin)
  const interrupted = onInterrupt(() => story.interrupt())
  try {
    await story.play()
    if (!interrupted.seen && process.stdout.isTTY && !invocation.boolean('end')) await stayUp(serin, story, interrupted)
    await story.end()
    return interrupted.seen && !story.isOver ? EXIT.interrupted : story.exitCode
  } finally {
    await serin.kill()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Interrupted {
  seen: boolean
  readonly promise: Promise<void>
}

function onInterrupt(act: () => void): Interrupted {
  const result: { seen: boolean; promise: Promise<void> } = { seen: false, promise: Promise.resolve() }
  result.promise = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      // Again and again: what the demo has started must not be left behind.
      process.on(signal, () => {
        result.seen = true
        act()
        resolve()
      })
    }
  })
  return result
}

class Interruption extends Error {}

class Story {
  readonly #serin: DemoSerin
  readonly #line = new LiveLine()
  readonly #promises: Promise_[] = []
  #loads: Load[] = []
  #timer: NodeJS.Timeout | undefined
  #isPlaying = true
  #stopped = false
  #window = new Map<string, number>()
  /** Answers in the order in which they came, while they are counted. */
  #counted: string[] | undefined
  isOver = false

  constructor(serin: DemoSerin) {
    this.#serin = serin
  }

  get exitCode(): number {
    return this.#promises.every((promise) => promise.held) ? EXIT.done : EXIT.failed
  }

  /** Ends the story before its end; later, Ctrl-C is how it ends. */
  interrupt(): void {
    if (this.#isPlaying) this.#stopped = true
  }

  async play(): Promise<void> {
    try {
      await this.#start()
      await this.#restart()
      await this.#canary()
      await this.#widenAndTakeBack()
      await this.#coarse()
    } catch (error) {
      if (!(error instanceof Interruption)) throw error
    } finally {
      this.#isPlaying = false
    }
  }

  async #start(): Promise<void> {
    this.#chapter('Start: four pods of a service, and a gateway')
    await this.#serin.prepare()
    this.#typed(this.#serin.startLine)
    await this.#serin.start((line) => this.#say(line))
    this.#typed(`export KUBECONFIG=${this.#serin.kubeconfig}`)
    const { host, port } = this.#serin
    for (const path of ['/helloworld/v1/', '/helloworld/v2/', '/helloworld/latest/']) {
      this.#typed(`curl http://localhost:${port}${path}`)
      const answer = await askOnce({ host, port, path })
      this.#say(answer.body)
      this.#check(answer.status === 200, `${path} answers`)
    }
  }

  async #restart(): Promise<void> {
    this.#chapter('Replace all pods while clients keep asking')
    this.#startLoad('/helloworld/v1/')
    const watch = await watchPods(this.#serin.kubeconfig)
    const before = this.#counts()
    await this.#type('rollout', 'restart', 'deploy', 'helloworld')
    await this.#type('rollout', 'status', 'deploy', 'helloworld')
    const { readyMin, podsMax } = await watch.stop()
    const after = this.#counts()
    this.#check(
      after.failed === before.failed,
      `${grouped(after.requests - before.requests)} requests during the restart, ${after.failed - before.failed} failed`,
    )
    this.#check(
      readyMin >= READY_PODS_MIN && podsMax <= POD_COUNT_MAX,
      `never fewer than ${readyMin} ready pods, never more than ${podsMax} in all`,
    )
  }

  async #canary(): Promise<void> {
    this.#chapter('A canary: one request of ten gets version 2')
    await this.#type('apply', '-f', this.#serin.exampleFile('canary.yaml'))
    await this.#type('delete', 'mapping', 'helloworld-backend')
    this.#counted = []
    this.#switchLoad('/helloworld/')
    while (this.#counted.length < COUNTED) await this.#pause(LIVE_EVERY_MS)
    const second = this.#counted.slice(0, COUNTED).filter((body) => body.includes('Planet')).length
    this.#counted = undefined
    this.#check(
      Math.abs(second - COUNTED / 10) <= COUNTED_OFF_MAX,
      `of ${grouped(COUNTED)} requests, ${second} got version 2`,
    )
  }

  async #widenAndTakeBack(): Promise<void> {
    this.#chapter('Widen it, then take it back')
    await this.#patchWeight(50)
    await this.#pause(1_500)
    await this.#patchWeight(0)
    const answeredAtMs = performance.now()
    const late = await this.#lastOfVersion2(answeredAtMs)
    this.#check(
      late <= EFFECT_MS_MAX,
      late < 1
        ? 'from the answer to the patch on, nobody got version 2'
        : `${late.toFixed(0)} ms after the answer to the patch, nobody got version 2 any more`,
    )
  }

  async #coarse(): Promise<void> {
    this.#chapter('A coarse canary: a second Deployment behind the same Service')
    await this.#type('apply', '-f', this.#serin.exampleFile('coarse-canary.yaml'))
    await this.#type('rollout', 'status', 'deploy', 'helloworld-canary')
    const { host, port } = this.#serin
    const answers = await askMany({ host, port, path: '/helloworld/', count: 500 })
    const canary = answers.filter((answer) => /x-served-by: helloworld-canary/i.test(answer.head)).length
    const percent = (canary / answers.length) * 100
    this.#check(percent > 10 && percent < 30, `1 of 5 pods answered ${percent.toFixed(0)} % of the requests`)
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    const counts = await this.#stopLoads()
    if (!this.#stopped) {
      this.#chapter('The end')
      this.#check(counts.failed === 0, `${grouped(counts.requests)} requests in all, ${counts.failed} failed`)
      for (const reason of counts.reasons) this.#say(reason)
    }
    this.#typed('Ctrl-C')
    const leftOver = await this.#serin.stop()
    this.#check(leftOver.length === 0, leftOver.length === 0 ? 'everything is drained and gone' : leftOver.join('; '))
    this.isOver = !this.#stopped
    const broken = this.#promises.filter((promise) => !promise.held)
    if (this.isOver) {
      print(
        broken.length === 0
          ? `\n${paint('green', `${ICONS.good} every step held, no request failed`)}`
          : `\n${paint('red', `${ICONS.bad} ${broken.length} steps did not hold`)}`,
      )
    }
  }

  /** Leaves the traffic running, so that a person can play. */
  get counts(): { requests: number; failed: number } {
    return this.#counts()
  }

  // ---- traffic

  #startLoad(path: string): void {
    const { host, port } = this.#serin
    const common = {
      host,
      port,
      path,
      pauseMs: PAUSE_MS,
      onAnswer: (answer: { body: string }) => this.#seen(answer.body),
    }
    this.#loads.push(
      startLoad({ ...common, connection: 'keep-alive', clients: CLIENTS_KEEP_ALIVE }),
      startLoad({ ...common, connection: 'close', clients: CLIENTS_CLOSE }),
    )
    this.#timer ??= setInterval(() => this.#line.update(this.#runningLine()), LIVE_EVERY_MS)
  }

  /** The old clients finish, new ones ask for another path; the counts go on. */
  #switchLoad(path: string): void {
    for (const load of this.#loads) void load.stop()
    this.#startLoad(path)
  }

  #seen(body: string): void {
    this.#counted?.push(body)
    const version = body.includes('Planet') ? 'version 2' : 'version 1'
    this.#window.set(version, (this.#window.get(version) ?? 0) + 1)
  }

  #counts(): { requests: number; failed: number } {
    return {
      requests: this.#loads.reduce((sum, load) => sum + load.requests, 0),
      failed: this.#loads.reduce((sum, load) => sum + load.failed, 0),
    }
  }

  async #stopLoads(): Promise<{ requests: number; failed: number; reasons: readonly string[] }> {
    const results = await Promise.all(this.#loads.map((load) => load.stop()))
    return { ...this.#counts(), reasons: results.flatMap((result) => result.reasons) }
  }

  #runningLine(): string {
    const { requests, failed } = this.#counts()
    const total = [...this.#window.values()].reduce((sum, count) => sum + count, 0)
    const shares = ['version 1', 'version 2'].map((version) => {
      const share = total === 0 ? 0 : ((this.#window.get(version) ?? 0) / total) * 100
      return `${version} ${share.toFixed(1)} %`
    })
    if (total > 400) for (const [version, count] of this.#window) this.#window.set(version, count / 2)
    return `  ${grouped(requests)} requests · ${failed} failed · ${shares.join(' · ')}`
  }

  async #patchWeight(weight: number): Promise<void> {
    await this.#type(
      'patch',
      'mapping',
      'helloworld-backend-v2',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { weight } }),
    )
    this.#window.clear()
  }

  /** How long after `sinceMs` the last request was sent that still got version 2. */
  async #lastOfVersion2(sinceMs: number): Promise<number> {
    const { host, port } = this.#serin
    let last = 0
    const load = startLoad({
      host,
      port,
      path: '/helloworld/',
      connection: 'keep-alive',
      clients: 2,
      pauseMs: 1,
      onAnswer: (answer) => {
        if (answer.body.includes('Planet')) last = Math.max(last, answer.sentAtMs - sinceMs)
      },
    })
    this.#loads.push(load)
    await this.#pause(1_000)
    await load.stop()
    return last
  }

  // ---- what is seen

  #chapter(title: string): void {
    if (this.#stopped) throw new Interruption()
    this.#line.clear()
    print(`\n${paint('bold', title)}`)
  }

  #typed(command: string): void {
    this.#line.clear()
    print(`${paint('cyan', '$')} ${command}`)
  }

  #say(text: string): void {
    this.#line.clear()
    for (const line of text.trimEnd().split('\n')) print(`  ${line}`)
  }

  #check(held: boolean, text: string): void {
    this.#promises.push({ held, text })
    this.#line.clear()
    print(held ? `${paint('green', ICONS.good)} ${text}` : `${paint('red', ICONS.bad)} ${text}`)
  }

  async #type(...words: string[]): Promise<void> {
    if (this.#stopped) throw new Interruption()
    this.#typed(this.#serin.commandLine(words))
    const { exitCode } = await this.#serin.run(words, (line) => this.#say(line))
    if (exitCode !== 0) this.#check(false, `exit code ${exitCode}`)
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms)
    if (this.#stopped) throw new Interruption()
  }
}

async function stayUp(serin: DemoSerin, story: Story, interrupted: Interrupted): Promise<void> {
  print(`
${paint('bold', 'It stays up: play with it.')}
  export KUBECONFIG=${serin.kubeconfig}
  curl http://localhost:${serin.port}/helloworld/
  curl ${serin.consoleUrl}/metrics
  ${serin.commandLine(['get', 'mappings'])}
Ctrl-C ends it. (${grouped(story.counts.requests)} requests so far, ${story.counts.failed} failed)
`)
  await interrupted.promise
}
