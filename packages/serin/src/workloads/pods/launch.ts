import type { Container, PodObject } from '../../resources/kubernetes/types.ts'
import type { PortMap } from '../endpoints/addresses.ts'
import { UNDECLARED } from '../endpoints/addresses.ts'
import { StartError, type ContainerSpec, type Launch } from '../runtimes/runtime.ts'
import type { Started } from './container.ts'
import type { KubeletContext } from './context.ts'
import { environmentOf, expand } from './environment.ts'
import { cpuMillicores, memoryBytes } from './quantity.ts'
import { logPath, volumesDirectory } from './records.ts'
import { mountsOf, prepareVolumes } from './volumes.ts'

/** From a container in a pod's spec to a running program: image, environment, ports, volumes, user. */

/** Of this process's environment, what a program on this machine may need: where programs and its own things are. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'] as const

export interface LaunchInput {
  readonly pod: PodObject
  readonly container: Container
  readonly attempt: number
  readonly ports: PortMap
}

/** Throws StartError. */
export async function launchContainer(context: KubeletContext, input: LaunchInput): Promise<Started> {
  const { pod, container } = input
  const { launch, environment: fromImage, pathOf } = await context.images.resolve(container)
  const runtime = context.runtimes.for(launch)
  if (runtime === undefined) throw new StartError('CreateContainerError', `no runtime for a ${launch.type} here`)
  const configuration = configurationOf(context, pod)
  const volumes = volumesDirectory(context.directory, pod.metadata.uid ?? '')
  prepareVolumes(pod, volumes, configuration)
  const environment = environmentOf({
    pod,
    container,
    ...configuration,
    services: context.room.servicesIn(pod.metadata.namespace ?? ''),
    // An image's PORT is meant for a container of its own: here every pod has another.
    base: { ...baseEnvironment(launch, input), ...fromImage, ...listenEnvironment(launch, input) },
    podIP: context.podIP,
    hostIP: context.hostIP,
  })
  const spec = specOf(context, input, {
    launch: expanded(launch, environment),
    environment,
    mounts: mountsOf(pod, container, volumes).map((mount) => ({ ...mount, target: pathOf(mount.target) })),
  })
  const { image = '' } = container
  const { name } = container
  const about = { about: pod, fieldPath: `spec.containers{${name}}` }
  context.events.tell({ ...about, reason: 'Pulled', message: `Container image "${image}" already present on machine` })
  const running = await runtime.start(spec)
  context.events.tell({ ...about, reason: 'Created', message: `Created container: ${name}` })
  return { running, id: `${runtime.scheme}://${running.id}`, imageId: launch.imageId }
}

function configurationOf(
  { room }: KubeletContext,
  pod: PodObject,
): Pick<Parameters<typeof environmentOf>[0], 'configMap' | 'secret'> {
  const namespace = pod.metadata.namespace ?? ''
  return {
    configMap: (name) => room.configMaps.get({ namespace, name }),
    secret: (name) => room.secrets.get({ namespace, name }),
  }
}

function baseEnvironment(launch: Launch, { pod, container, ports }: LaunchInput): Record<string, string> {
  const hostname = pod.spec.hostname ?? pod.metadata.name
  if (launch.type === 'container') return { HOSTNAME: hostname }
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  const named = (container.ports ?? []).flatMap(({ name, containerPort }): (readonly [string, string])[] => {
    const real = ports[String(containerPort)]
    if (name === undefined || real === undefined) return []
    return [[`PORT_${name.toUpperCase().replaceAll('-', '_')}`, String(real)]]
  })
  return { ...Object.fromEntries([...inherited, ...named]), HOSTNAME: hostname }
}

/** Where the program has to listen. */
function listenEnvironment(launch: Launch, { container, ports }: LaunchInput): Record<string, string> {
  const first = container.ports?.[0]?.containerPort
  if (launch.type === 'container') return first === undefined ? {} : { PORT: String(first), HOST: '0.0.0.0' }
  const port = ports[String(first ?? UNDECLARED)] ?? Object.values(ports)[0]
  return { HOST: '127.0.0.1', ...(port === undefined ? {} : { PORT: String(port) }) }
}

/** `$(NAME)` in the container's own command and arguments. */
function expanded(launch: Launch, environment: Readonly<Record<string, string>>): Launch {
  const all = (texts: readonly string[]): readonly string[] => texts.map((text) => expand(text, environment))
  if (launch.type === 'process') return { ...launch, argv: all(launch.argv) }
  return {
    ...launch,
    ...(launch.command === undefined ? {} : { command: all(launch.command) }),
    ...(launch.args === undefined ? {} : { args: all(launch.args) }),
  }
}

function specOf(
  context: KubeletContext,
  { pod, container, attempt, ports }: LaunchInput,
  rest: Pick<ContainerSpec, 'launch' | 'environment' | 'mounts'>,
): ContainerSpec {
  const { name, namespace = '', uid = '' } = pod.metadata
  const memory = memoryBytes(container, 'limits')
  const cpu = cpuMillicores(container, 'limits')
  const user = userOf(pod, container)
  return {
    podUid: uid,
    namespace,
    podName: name,
    name: container.name,
    attempt,
    logFile: logPath(context.directory, uid, container.name, attempt),
    ports: (container.ports ?? []).flatMap(({ containerPort }) => {
      const port = ports[String(containerPort)]
      return port === undefined ? [] : [{ containerPort, port }]
    }),
    limits: {
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(cpu === undefined ? {} : { cpuMillicores: cpu }),
    },
    ...(user === undefined ? {} : { user }),
    ...rest,
  }
}

function userOf(pod: PodObject, container: Container): ContainerSpec['user'] {
  const security = { ...pod.spec.securityContext, ...container.securityContext }
  const { runAsUser, runAsGroup, runAsNonRoot } = security
  if (runAsNonRoot === true && (runAsUser ?? process.getuid?.() ?? 0) === 0) {
    const message = 'container has runAsNonRoot and image will run as root'
    throw new StartError('CreateContainerConfigError', message)
  }
  if (runAsUser === undefined) return undefined
  return { uid: runAsUser, ...(runAsGroup === undefined ? {} : { gid: runAsGroup }) }
}
