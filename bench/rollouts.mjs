/**
 * The long form of "no failed request": `node bench/rollouts.mjs [--restarts 10] [--requests 100000]` (after `npm run build`). A real `serin up`, a
 * program that exits at once on SIGTERM, 4 replicas; clients with and without keep-alive, every third request with a body that is sent in two
 * pieces, every fifth one slow; restarts one after the other until the requests are through. Exit code 1 if one request failed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const CLIENTS = 16
const BODY_BYTES = 20_000
const SLOW_MS = 30

const { values } = parseArgs({
  options: { restarts: { type: 'string', default: '10' }, requests: { type: 'string', default: '100000' } },
})
const serin = join(import.meta.dirname, '../packages/serin/bin/serin.js')
const directory = mkdtempSync(join(tmpdir(), 'serin-rollouts-'))
const [port, api, console_] = await Promise.all([freePort(), freePort(), freePort()])

const PROGRAM = `
import http from 'node:http'
http.createServer((request, response) => {
  request.resume()
  request.on('end', () => setTimeout(() => response.end(process.env.HOSTNAME), request.url.startsWith('/slow') ? ${SLOW_MS} : 0))
}).listen(process.env.PORT, process.env.HOST)
process.on('SIGTERM', () => process.exit(0))
`

const RESOURCES = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: abrupt}
spec:
  replicas: 4
  selector: {matchLabels: {app: abrupt}}
  template:
    metadata: {labels: {app: abrupt}}
    spec:
      containers:
      - name: web
        image: abrupt
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: abrupt}
spec: {selector: {app: abrupt}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: {name: http}
spec: {port: ${port}, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: {name: all}
spec: {hostname: "*", requestPolicy: {insecure: {action: Route}}}
---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: abrupt}
spec: {hostname: "*", prefix: /, service: "abrupt:80", resolver: endpoint, load_balancer: {policy: round_robin}}
`

mkdirSync(join(directory, 'image'))
writeFileSync(join(directory, 'image/server.mjs'), PROGRAM)
writeFileSync(join(directory, 'image/Dockerfile'), 'FROM node\nWORKDIR /app\nCMD ["node", "server.mjs"]\n')
writeFileSync(join(directory, 'all.yaml'), RESOURCES)
const data = ['--data', join(directory, 'data')]
const addresses = ['--api', `127.0.0.1:${api}`, '--console', `127.0.0.1:${console_}`]
const up = [
  'up',
  '-d',
  '-f',
  join(directory, 'all.yaml'),
  '--image',
  `abrupt=${join(directory, 'image')}`,
  ...data,
  ...addresses,
]
verb(up)
const failures = new Map()
let sent = 0
let isOver = false
const began = Date.now()
try {
  const clients = Array.from({ length: CLIENTS }, (_value, index) => client(index))
  const restarts = await restartAll()
  const seconds = (Date.now() - began) / 1000
  await Promise.all(clients)
  const failed = [...failures].map(([what, count]) => `${what}: ${count}`).join(', ')
  console.log(`${sent} requests, ${restarts} restarts in ${seconds.toFixed(0)} s, failed: ${failed || 'none'}`)
  process.exitCode = failures.size === 0 ? 0 : 1
} finally {
  verb(['down', ...data])
  rmSync(directory, { recursive: true, force: true })
}

async function restartAll() {
  let restarts = 0
  while (restarts < Number(values.restarts) || sent < Number(values.requests)) {
    await verbLater(['rollout', 'restart', 'deploy', 'abrupt', ...data])
    await verbLater(['rollout', 'status', 'deploy', 'abrupt', ...data])
    restarts += 1
    // Two restarts within one second are one.
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  isOver = true
  return restarts
}

async function client(index) {
  const agent = new Agent({ keepAlive: index % 2 === 0, maxSockets: 1 })
  while (!isOver) {
    sent += 1
    const outcome = await ask(sent, agent)
    if (outcome !== undefined) failures.set(outcome, (failures.get(outcome) ?? 0) + 1)
  }
  agent.destroy()
}

/** Undefined when all was well. */
function ask(number, agent) {
  return new Promise((resolve) => {
    const hasBody = number % 3 === 0
    const outgoing = request({
      host: '127.0.0.1',
      port,
      agent,
      path: number % 5 === 0 ? '/slow' : '/',
      method: hasBody ? 'POST' : 'GET',
    })
    outgoing.once('response', (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode === 200 ? undefined : String(response.statusCode)))
      response.once('error', (error) => resolve(error.code))
    })
    outgoing.once('error', (error) => resolve(error.code))
    if (!hasBody) return outgoing.end()
    const body = Buffer.alloc(BODY_BYTES, 'x')
    outgoing.write(body.subarray(0, BODY_BYTES / 4))
    setTimeout(() => outgoing.end(body.subarray(BODY_BYTES / 4)), number % 7)
  })
}

function verb(args) {
  const { status } = spawnSync(process.execPath, [serin, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`serin ${args[0]} ended with ${status}`)
}

function verbLater(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [serin, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`serin ${args[0]} ended with ${code}`))))
  })
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address()
      server.close(() => resolve(free))
    })
  })
}
