/** What happens to the traffic when processes die, and that two serins do not get in each other's way. */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { askOnce, startLoad } from '../src/cli/load.ts'
import {
  childrenOf,
  example,
  processesNaming,
  runProgram,
  serin as runSerin,
  SerinUnderTest,
  until,
} from './support/serin.ts'

interface PodFacts {
  readonly name: string
  readonly uid: string
  readonly restarts: number
  /** Of the container: another process has another one. */
  readonly id: string
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

async function pods(serin: SerinUnderTest): Promise<readonly PodFacts[]> {
  const { stdout, stderr } = await serin.verb('get', 'pods', '-o', 'json')
  const { items } = JSON.parse(stdout === '' ? assert.fail(stderr) : stdout) as {
    items: {
      metadata: { name: string; uid: string }
      status?: { containerStatuses?: { restartCount: number; containerID: string }[] }
    }[]
  }
  return items
    .map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      restarts: status?.containerStatuses?.[0]?.restartCount ?? -1,
      id: status?.containerStatuses?.[0]?.containerID ?? '',
    }))
    .sort((left, right) => left.name.localeCompare(right.name))
}

describe('a serin under load', { timeout: 280_000 }, () => {
  let serin: SerinUnderTest
  before(async () => {
    serin = await SerinUnderTest.create()
    await serin.up()
  })
  after(() => serin.cleanUp())

  test('whose control process is killed fails no request, and the next one takes over gateway and pods', async () => {
    const common = { host: serin.host, port: serin.port, path: '/helloworld/v1/' }
    const loads = [
      startLoad({ ...common, connection: 'keep-alive', clients: 4, pauseMs: 1 }),
      startLoad({ ...common, connection: 'close', clients: 2, pauseMs: 2 }),
    ]
    const [podsBefore, gatewayBefore] = [await pods(serin), serin.gatewayPid]
    assert.ok(gatewayBefore !== undefined)
    await serin.killControl()
    assert.equal((await askOnce(common)).status, 200)
    await serin.up({ files: [] })
    assert.match(serin.output, new RegExp(`pid ${gatewayBefore} was running and goes on`))
    assert.equal(serin.gatewayPid, gatewayBefore)
    assert.deepEqual(await pods(serin), podsBefore)

    const restart = await serin.verb('rollout', 'restart', 'deploy', 'helloworld')
    assert.equal(restart.code, 0, restart.stderr)
    const status = await serin.verb('rollout', 'status', 'deploy', 'helloworld')
    assert.equal(status.code, 0, status.stderr)
    for (const result of await Promise.all(loads.map((load) => load.stop()))) {
      assert.equal(result.failed, 0, `${result.failed} of ${result.requests}: ${result.reasons.join(', ')}`)
    }
  })

  test('one of whose workers is killed serves on with the others and gets a new one', async () => {
    const workers = await childrenOf(serin.gatewayPid!)
    assert.equal(workers.length, 2)
    const load = startLoad({
      host: serin.host,
      port: serin.port,
      path: '/helloworld/v1/',
      connection: 'close',
      clients: 2,
      pauseMs: 1,
    })
    process.kill(workers[0]!, 'SIGKILL')
    const now = await until('a new worker', async () => {
      const children = await childrenOf(serin.gatewayPid!)
      return children.length === 2 && !children.includes(workers[0]!) ? children : undefined
    })
    assert.ok(now.includes(workers[1]!))
    const result = await load.stop()
    // A request that the killed worker had in its hands dies with it; no other may.
    assert.ok(result.failed <= 2, `${result.failed} of ${result.requests}: ${result.reasons.join(', ')}`)
    assert.equal((await askOnce({ host: serin.host, port: serin.port, path: '/helloworld/v1/' })).status, 200)
  })

  test('whose gateway process is killed gets another one', async () => {
    const before_ = serin.gatewayPid!
    process.kill(before_, 'SIGKILL')
    await until('another gateway', () => (serin.gatewayPid !== undefined && serin.gatewayPid !== before_) || undefined)
    await until('an answer', async () => {
      try {
        return (
          (await askOnce({ host: serin.host, port: serin.port, path: '/helloworld/v1/' })).status === 200 || undefined
        )
      } catch {
        return undefined
      }
    })
  })

  test('serves counters of every version on its console, and refuses pages of strangers', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${serin.console}/metrics`)).text()
    assert.match(metrics, /^serin_requests_total\{.*mapping="default\/helloworld-backend".*\} \d+$/m)
    assert.match(metrics, /^serin_build_info/m)
    assert.equal((await fetch(`http://127.0.0.1:${serin.console}/readyz`)).status, 200)
    assert.equal(await statusWith(serin.console, { host: 'evil.example' }), 403)
    assert.equal(await statusWith(serin.console, { origin: 'http://evil.example' }), 403)
  })

  test('is backed up while it runs, and the backup starts a serin of its own', async () => {
    const other = await SerinUnderTest.create()
    try {
      const file = join(other.directory, 'backup.serin')
      const backup = await runSerin(['backup', file, '--data', serin.data.path])
      assert.equal(backup.code, 0, backup.stderr)
      const restore = await runSerin(['restore', file, '--data', other.data.path])
      assert.equal(restore.code, 0, restore.stderr)
      assert.equal((await runSerin(['restore', file, '--data', other.data.path])).code, 2)
      const again = join(other.directory, 'again.serin')
      const ended = await runSerin(['backup', again, '--data', other.data.path])
      assert.equal(ended.code, 0, ended.stderr)
      assert.ok(statSync(again).size > 0)
      for (const [broken, reason] of [
        [readFileSync(again).subarray(0, 100_000), /it is cut off/],
        ['nonsense', /is no backup of serin/],
      ] as const) {
        writeFileSync(again, broken)
        const refused = await runSerin(['restore', again, '--data', join(other.directory, 'new')])
        assert.equal(refused.code, 1)
        assert.match(refused.stderr, reason)
      }
    } finally {
      await other.cleanUp()
    }
  })

  test('goes on with the last good configuration when a change is illegal, and says so on the resource', async () => {
    const mapping = 'helloworld-backend-v2'
    const change = async (weight: number): Promise<void> => {
      const args = ['patch', 'mapping', mapping, '--type=merge', '-p', JSON.stringify({ spec: { weight } })]
      const { code, stderr } = await serin.verb(...args)
      assert.equal(code, 0, stderr)
    }
    const condition = async (): Promise<Condition | undefined> => {
      const { stdout } = await serin.verb('get', 'mapping', mapping, '-o', 'json')
      const { status } = JSON.parse(stdout) as { status?: { conditions?: Condition[] } }
      return status?.conditions?.find(({ type }) => type === 'Accepted')
    }
    const ask = { host: serin.host, port: serin.port, path: '/helloworld/' }
    assert.equal((await serin.verb('apply', '-f', join(example, 'canary.yaml'))).code, 0)
    assert.equal((await serin.verb('delete', 'mapping', 'helloworld-backend')).code, 0)
    await change(150)
    const refused = await until('a condition', condition)
    assert.equal(refused.status, 'False')
    assert.match(refused.message, /150/)
    assert.equal((await askOnce(ask)).status, 200)
    const events = await until('an event', async () => {
      const { stdout } = await serin.verb('get', 'events')
      return stdout.includes(refused.reason) ? stdout : undefined
    })
    assert.match(events, /Warning +\S+ +mapping\/helloworld-backend-v2/)
    await change(100)
    await until('all to be well', async () => ((await condition())?.status === 'True' ? true : undefined))
    await until('version 2 alone', async () => ((await askOnce(ask)).body.includes('Planet') ? true : undefined))
    assert.equal((await serin.verb('delete', '-f', join(example, 'canary.yaml'))).code, 0)
    assert.equal((await serin.verb('apply', '-f', join(example, 'k8s/mapping.yaml'))).code, 0)
  })

  test('keeps its secrets to its owner', () => {
    assert.equal(statSync(serin.data.path).mode & 0o777, 0o700)
    assert.equal(statSync(serin.data.kubeconfig).mode & 0o777, 0o600)
    assert.equal(statSync(serin.data.gatewaySocket).mode & 0o777, 0o600)
  })

  test('lets another serin live beside it', async () => {
    const other = await SerinUnderTest.create()
    try {
      await other.up()
      for (const one of [serin, other]) {
        const answer = await askOnce({ host: one.host, port: one.port, path: '/helloworld/v1/' })
        assert.equal(answer.status, 200)
      }
      assert.notDeepEqual(
        (await pods(other)).map((pod) => pod.name),
        (await pods(serin)).map((pod) => pod.name),
      )
      assert.equal(await other.end(), 0)
      assert.equal((await askOnce({ host: serin.host, port: serin.port, path: '/helloworld/v1/' })).status, 200)
    } finally {
      await other.cleanUp()
    }
  })

  test('refuses a second serin in its data directory with a sentence', async () => {
    const second = await runSerin(['up', '--data', serin.data.path, '--api', '127.0.0.1:0'])
    assert.equal(second.code, 1)
    assert.match(second.stderr, /runs already/)
    assert.doesNotMatch(second.stderr, /\n {4}at /)
  })

  test('refuses a port that is taken with a sentence, and leaves nothing behind', async () => {
    const second = await SerinUnderTest.create()
    try {
      const taken = await runSerin(['up', '--data', second.data.path, '--api', `127.0.0.1:${serin.api}`])
      assert.equal(taken.code, 1)
      assert.match(taken.stderr, /is taken/)
      assert.match(taken.stderr, /--api/)
      assert.deepEqual(await processesNaming(second.data.path), [])
    } finally {
      await second.cleanUp()
    }
  })
})

describe('a serin in the background', { timeout: 280_000 }, () => {
  test('is ready when `up -d` returns, and gone when `down` returns', async () => {
    const serin = await SerinUnderTest.create()
    try {
      const up = await runSerin([
        'up',
        '-d',
        `--data=${serin.data.path}`,
        `--api=127.0.0.1:${serin.api}`,
        `--console=127.0.0.1:${serin.console}`,
        ...serin.files.flatMap((file) => ['-f', file]),
      ])
      assert.equal(up.code, 0, up.stderr)
      assert.equal((await askOnce({ host: serin.host, port: serin.port, path: '/helloworld/v1/' })).status, 200)
      const down = await runSerin(['down', '--data', serin.data.path])
      assert.equal(down.code, 0, down.stderr)
      assert.deepEqual(await processesNaming(serin.data.path), [])
      assert.equal((await runSerin(['down', '--data', serin.data.path])).code, 3)
    } finally {
      await serin.cleanUp()
    }
  })

  test('goes on when nobody reads its output any more', async () => {
    const serin = await SerinUnderTest.create()
    try {
      const bin = join(example, '../../packages/serin/bin/serin.js')
      const files = serin.files.map((file) => `-f ${file}`).join(' ')
      const line = `${process.execPath} ${bin} up ${files} --data ${serin.data.path} --api 127.0.0.1:${serin.api} --console 127.0.0.1:${serin.console}`
      await runProgram('bash', ['-c', `${line} 2>&1 | head -1 & sleep 0.2`])
      const ask = { host: serin.host, port: serin.port, path: '/helloworld/v1/' }
      const answers = async (): Promise<true | undefined> => {
        const answer = await askOnce(ask).catch(() => undefined)
        return answer?.status === 200 || undefined
      }
      await until('an answer', answers)
      assert.equal((await serin.verb('get', 'pods')).code, 0)
    } finally {
      await serin.cleanUp()
    }
  })

  test('whose control process was killed is ended by `down` all the same', async () => {
    const serin = await SerinUnderTest.create()
    try {
      await serin.up()
      await serin.killControl()
      const down = await runSerin(['down', '--data', serin.data.path])
      assert.equal(down.code, 0, down.stderr)
      assert.deepEqual(await processesNaming(serin.data.path), [])
      await assert.rejects(askOnce({ host: serin.host, port: serin.port, path: '/' }), /ECONNREFUSED/)
    } finally {
      await serin.cleanUp()
    }
  })
})

function statusWith(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/metrics', headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}
