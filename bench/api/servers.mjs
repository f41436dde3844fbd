/** The servers that are measured, each in processes of its own. A server: { name, host, port, ca, token, pids, stop }. */
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.mjs'

const START_MS_MAX = 120_000
const TOKEN = 'bench-token'

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** serin's store and API as `serin up` has them, without controllers. `directory` decides which disk is written. */
export async function startSerin(directory) {
  const home = mkdtempSync(join(directory, 'serin-bench-'))
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve.mjs'), home, TOKEN], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const line = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve)
    child.once('close', () => reject(new Error('serin did not start')))
  })
  const { port, ca } = JSON.parse(line)
  return {
    name: 'serin',
    host: '127.0.0.1',
    port,
    ca,
    token: TOKEN,
    pids: [child.pid],
    stop: () => stop([child], home),
  }
}

/** kube-apiserver (bench/api/real/build.sh) on etcd; undefined where one of them is missing. */
export async function startReal(directory) {
  const binary = process.env.KUBE_APISERVER ?? join(import.meta.dirname, 'real/bin/kube-apiserver')
  if (!existsSync(binary)) return undefined
  const home = mkdtempSync(join(directory, 'real-bench-'))
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()])
  const etcdUrl = `http://127.0.0.1:${etcdPort}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const etcd = spawn(
    process.env.ETCD ?? 'etcd',
    [
      '--data-dir',
      join(home, 'etcd'),
      '--listen-client-urls',
      etcdUrl,
      '--advertise-client-urls',
      etcdUrl,
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      '--initial-cluster',
      `default=${peerUrl}`,
      '--log-level',
      'error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  etcd.on('error', () => {})
  writeFileSync(join(home, 'tokens.csv'), `${TOKEN},admin,admin,system:masters\n`)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(home, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  mkdirSync(join(home, 'certs'))
  const apiserver = spawn(
    binary,
    [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(home, 'certs')}`,
      `--token-auth-file=${join(home, 'tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://bench',
      `--service-account-key-file=${join(home, 'sa.key')}`,
      `--service-account-signing-key-file=${join(home, 'sa.key')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--disable-admission-plugins=ServiceAccount',
      // Its own limits are no part of the comparison.
      '--max-requests-inflight=0',
      '--max-mutating-requests-inflight=0',
      '--enable-priority-and-fairness=false',
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  )
  const server = {
    name: 'kube-apiserver + etcd',
    host: '127.0.0.1',
    port,
    ca: undefined,
    token: TOKEN,
    pids: [etcd.pid, apiserver.pid],
    stop: () => stop([apiserver, etcd], home),
  }
  await ready(server)
  return server
}

async function ready(server) {
  const client = new Client(server, 1)
  const deadline = Date.now() + START_MS_MAX
  for (;;) {
    try {
      await client.ask('GET', '/readyz')
      await client.ask('GET', '/api/v1/namespaces/default')
      return client.close()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(250)
    }
  }
}

async function stop(children, home) {
  for (const child of children) {
    if (child.exitCode !== null) continue
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
  }
  rmSync(home, { recursive: true, force: true })
}
