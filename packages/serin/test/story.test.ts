/** The story of the tutorial, to the letter: what a new user types, with real traffic and nothing that may fail. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { type Answer, askMany, askOnce } from '../src/cli/load.ts'
import { watchPods } from '../src/cli/pod-watch.ts'
import { example, processesNaming, SerinUnderTest, until } from './support/serin.ts'
import { startTraffic, type Traffic } from './support/traffic.ts'
import { kubectl, steer } from './support/kubectl.ts'

const COUNTED = 1_000
/** From the answer to a patch on, the old split may be seen for this long: the promise of the tutorial. */
const EFFECT_MS_MAX = 50

for (const tool of [kubectl === undefined ? 'serin' : 'kubectl'] as const) {
  describe(`the story, steered with ${tool}`, { timeout: 280_000 }, () => {
    let serin: SerinUnderTest

    before(async () => {
      serin = await SerinUnderTest.create()
      await serin.up()
    })
    after(() => serin.cleanUp())

    const type = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await steer(tool, serin.data.kubeconfig, words)
      assert.equal(code, 0, `${tool} ${words.join(' ')}: ${stdout}${stderr}`)
      return stdout
    }
    const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
      askOnce({ host: serin.host, port: serin.port, path, headers })
    const traffic = (path: string): Traffic => startTraffic(serin, path)

    test('1, 2: both versions of the API answer, and the latest, and say which pod it was', async () => {
      for (const [path, message] of [
        ['/helloworld/v1/', 'Hello World'],
        ['/helloworld/v2/', 'Greetings, Planet!'],
        ['/helloworld/latest/', 'Greetings, Planet!'],
      ] as const) {
        const answer = await ask(path)
        assert.equal(answer.status, 200)
        assert.deepEqual(JSON.parse(answer.body), { message })
        assert.match(answer.head, /x-served-by: helloworld-/i)
      }
      assert.equal((await ask('/elsewhere/')).status, 404)
    })

    test('3: a rolling restart loses no request, keeps 3 pods ready and has at most 5', async () => {
      const clients = traffic('/helloworld/v1/')
      const pods = await watchPods(serin.data.kubeconfig)
      await type('rollout', 'restart', 'deploy', 'helloworld')
      assert.match(await type('rollout', 'status', 'deploy', 'helloworld'), /successfully rolled out/)
      const seen = await pods.stop()
      await clients.mustNotFail()
      assert.ok(seen.readyMin >= 3, `only ${seen.readyMin} pods were ready`)
      assert.ok(seen.podsMax <= 5, `there were ${seen.podsMax} pods`)
    })

    test('4: the canary gets 100 ± 3 of the next 1,000 requests, and none fails while the files change', async () => {
      const clients = traffic('/helloworld/v1/')
      await type('apply', '-f', join(example, 'canary.yaml'))
      await type('delete', 'mapping', 'helloworld-backend')
      await clients.mustNotFail()
      const second = await countSecond(serin)
      assert.ok(Math.abs(second - COUNTED / 10) <= 3, `${second} of ${COUNTED} got version 2`)
    })

    test('5: half of the requests after the weight was widened, none 50 ms after it was taken back', async () => {
      await type('patch', 'mapping', 'helloworld-backend-v2', '--type=merge', '-p', '{"spec":{"weight":50}}')
      const second = await countSecond(serin)
      assert.ok(Math.abs(second - COUNTED / 2) <= 3, `${second} of ${COUNTED} got version 2`)
      let lastSentAtMs = 0
      const clients = startTraffic(serin, '/helloworld/', (answer) => {
        if (isSecond(answer)) lastSentAtMs = Math.max(lastSentAtMs, answer.sentAtMs)
      })
      await type('patch', 'mapping', 'helloworld-backend-v2', '--type=merge', '-p', '{"spec":{"weight":0}}')
      const answeredAtMs = performance.now()
      await sleep(500)
      await clients.mustNotFail()
      const late = lastSentAtMs - answeredAtMs
      assert.ok(late <= EFFECT_MS_MAX, `version 2 was still seen ${late.toFixed(0)} ms after the patch was answered`)
    })

    test('5: a sticky split keeps everybody on a side, and widening only adds to the canary', async () => {
      const annotations = { 'serin.dev/split': 'sticky', 'serin.dev/split-key': 'header:x-user' }
      const annotate = JSON.stringify({ metadata: { annotations } })
      for (const version of ['v1', 'v2']) {
        await type('patch', 'mapping', `helloworld-backend-${version}`, '--type=merge', '-p', annotate)
      }
      const users = Array.from({ length: 100 }, (_, index) => `user-${index}`)
      const canaries = async (weight: number): Promise<Set<string>> => {
        await type(
          'patch',
          'mapping',
          'helloworld-backend-v2',
          '--type=merge',
          '-p',
          JSON.stringify({ spec: { weight } }),
        )
        await sleep(EFFECT_MS_MAX)
        const on = new Set<string>()
        for (const user of users) {
          const first = isSecond(await ask('/helloworld/', { 'x-user': user }))
          assert.equal(isSecond(await ask('/helloworld/', { 'x-user': user })), first, `${user} changed sides`)
          if (first) on.add(user)
        }
        return on
      }
      const few = await canaries(20)
      const more = await canaries(60)
      assert.ok(few.size > 5 && few.size < 45, `${few.size} of 100 at 20 %`)
      assert.ok(more.size > few.size)
      for (const user of few) assert.ok(more.has(user), `${user} was on the canary at 20 % and not at 60 %`)
      assert.equal((await canaries(0)).size, 0)
    })

    test('6: two Deployments behind one Service share the traffic by their pods', async () => {
      await type('apply', '-f', join(example, 'coarse-canary.yaml'))
      await type('rollout', 'status', 'deploy', 'helloworld-canary')
      const share = await until('a fifth of the traffic at the canary pod', async () => {
        const answers = await askMany({ host: serin.host, port: serin.port, path: '/helloworld/', count: 500 })
        const canary = answers.filter((answer) => /x-served-by: helloworld-canary/i.test(answer.head)).length
        return canary > 0 ? canary : undefined
      })
      assert.ok(share >= 80 && share <= 120, `${share} of 500 reached 1 of 5 pods`)
      await type('delete', '-f', join(example, 'coarse-canary.yaml'))
    })

    test('7: Ctrl-C leaves nothing but the data, and the next start brings the same back', async () => {
      const podsBefore = await podNames(serin)
      assert.equal(podsBefore.length, 4)
      assert.equal(await serin.end('SIGINT'), 0)
      assert.deepEqual(await processesNaming(serin.data.path), [])
      assert.deepEqual(readdirSync(serin.directory).sort(), ['data', 'gateway.yaml'])
      assert.ok(!existsSync(serin.data.gatewaySocket))
      await assert.rejects(ask('/helloworld/'), /ECONNREFUSED/)

      await serin.up({ files: [] })
      assert.deepEqual(await podNames(serin), podsBefore)
      assert.equal((await ask('/helloworld/')).status, 200)
      assert.match((await steer(tool, serin.data.kubeconfig, ['get', 'mappings'])).stdout, /helloworld-backend-v2/)
    })
  })
}

async function countSecond(serin: SerinUnderTest): Promise<number> {
  const answers = await askMany({ host: serin.host, port: serin.port, path: '/helloworld/', count: COUNTED })
  return answers.filter(isSecond).length
}

function isSecond(answer: Answer): boolean {
  return answer.body.includes('Greetings, Planet!')
}

async function podNames(serin: SerinUnderTest): Promise<readonly string[]> {
  const { stdout } = await serin.verb('get', 'pods', '-o', 'json')
  const { items } = JSON.parse(stdout) as { items: { metadata: { name: string; deletionTimestamp?: string } }[] }
  return items
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map((pod) => pod.metadata.name)
    .sort()
}
