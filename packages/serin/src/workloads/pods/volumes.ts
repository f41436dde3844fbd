import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import type {
  ConfigMapObject,
  Container,
  KeyToPath,
  PodObject,
  SecretObject,
  Volume,
} from '../../resources/kubernetes/types.ts'
import { StartError, type Mount } from '../runtimes/runtime.ts'

/**
 * Volumes as directories of this machine: emptyDir, configMap, secret, hostPath. Files of a ConfigMap or Secret lie behind a link that is
 * changed at once, as the kubelet does it, so that a program sees either all old files or all new ones.
 */

const FILE_MODE = 0o644

export interface Configuration {
  readonly configMap: (name: string) => ConfigMapObject | undefined
  readonly secret: (name: string) => SecretObject | undefined
}

/** Makes what is missing and refreshes what comes from ConfigMaps and Secrets. Throws StartError `CreateContainerConfigError`. */
export function prepareVolumes(pod: PodObject, directory: string, configuration: Configuration): void {
  for (const volume of pod.spec.volumes ?? []) prepare(volume, join(directory, volume.name), configuration)
}

function prepare(volume: Volume, directory: string, configuration: Configuration): void {
  const files = filesOf(volume, configuration)
  if (files !== undefined) return writeFiles(directory, files)
  if (volume.hostPath === undefined) mkdirSync(directory, { recursive: true, mode: 0o777 })
  else checkHostPath(volume.name, volume.hostPath)
}

interface VolumeFile {
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

function filesOf(volume: Volume, { configMap, secret }: Configuration): readonly VolumeFile[] | undefined {
  if (volume.configMap !== undefined) {
    const { name, items, optional, defaultMode } = volume.configMap
    const object = configMap(name)
    if (object === undefined && optional !== true) throw missing('configmap', name)
    const text = Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const)
    const binary = Object.entries(object?.binaryData ?? {}).map(
      ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
    )
    return chosen(new Map([...text, ...binary]), items, {
      name,
      mode: defaultMode ?? FILE_MODE,
      optional: optional === true,
    })
  }
  if (volume.secret === undefined) return undefined
  const { secretName, items, optional, defaultMode } = volume.secret
  const object = secret(secretName)
  if (object === undefined && optional !== true) throw missing('secret', secretName)
  const data = Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)
  return chosen(new Map(data), items, { name: secretName, mode: defaultMode ?? FILE_MODE, optional: optional === true })
}

function missing(kind: string, name: string): StartError {
  return new StartError('CreateContainerConfigError', `${kind} "${name}" not found`)
}

function chosen(
  data: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  { name, mode, optional }: { name: string; mode: number; optional: boolean },
): readonly VolumeFile[] {
  if (items === undefined) return Array.from(data, ([path, content]) => ({ path, content, mode }))
  return items.flatMap((item) => {
    const content = data.get(item.key)
    if (content !== undefined) return [{ path: safePath(item.path), content, mode: item.mode ?? mode }]
    if (optional) return []
    throw new StartError('CreateContainerConfigError', `references non-existent config key: ${item.key} (in ${name})`)
  })
}

function safePath(path: string): string {
  const clean = normalize(path)
  if (clean.startsWith('..') || clean.startsWith('/')) {
    throw new StartError('CreateContainerConfigError', `path ${JSON.stringify(path)} of a volume leads out of it`)
  }
  return clean
}

function writeFiles(directory: string, files: readonly VolumeFile[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  if (isCurrent(directory, files)) return
  const generation = `..${String(Date.now())}_${String(process.hrtime.bigint() % 1_000_000n)}`
  for (const { path, content, mode } of files) {
    const file = join(directory, generation, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, content)
    chmodSync(file, mode)
  }
  mkdirSync(join(directory, generation), { recursive: true, mode: 0o755 })
  symlinkSync(generation, join(directory, '..data_next'))
  renameSync(join(directory, '..data_next'), join(directory, '..data'))
  link(directory, files)
  for (const old of readdirSync(directory)) {
    if (/^\.\.\d/.test(old) && old !== generation) rmSync(join(directory, old), { recursive: true, force: true })
  }
}

/** The names at the top of the volume are links into `..data`. */
function link(directory: string, files: readonly VolumeFile[]): void {
  const names = new Set(files.map(({ path }) => path.split('/', 1)[0] ?? ''))
  for (const present of readdirSync(directory)) {
    if (!present.startsWith('..') && !names.has(present))
      rmSync(join(directory, present), { recursive: true, force: true })
  }
  for (const name of names) {
    if (!readdirSync(directory).includes(name)) symlinkSync(join('..data', name), join(directory, name))
  }
}

function isCurrent(directory: string, files: readonly VolumeFile[]): boolean {
  const present = readdirSync(directory).filter((name) => !name.startsWith('..'))
  const names = new Set(files.map(({ path }) => path.split('/', 1)[0] ?? ''))
  if (!existsSync(join(directory, '..data')) || present.length !== names.size) return false
  return files.every(({ path, content }) => {
    const file = join(directory, '..data', path)
    return existsSync(file) && readFileSync(file).equals(content)
  })
}

function checkHostPath(name: string, { path, type = '' }: NonNullable<Volume['hostPath']>): void {
  if (type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true, mode: 0o755 })
  if (type === 'FileOrCreate' && !existsSync(path)) writeFileSync(path, '')
  if (existsSync(path)) return
  throw new StartError(
    'CreateContainerConfigError',
    `hostPath of volume ${JSON.stringify(name)}: ${path} does not exist`,
  )
}

/** Where a container's mounts lie on this machine. */
export function mountsOf(pod: PodObject, container: Container, directory: string): readonly Mount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = pod.spec.volumes?.find((entry) => entry.name === mount.name)
    if (volume === undefined)
      throw new StartError('CreateContainerConfigError', `no volume named ${JSON.stringify(mount.name)}`)
    const root = volume.hostPath?.path ?? join(directory, volume.name)
    const source = mount.subPath === undefined ? root : join(root, safePath(mount.subPath))
    if (mount.subPath !== undefined && !existsSync(source)) mkdirSync(source, { recursive: true })
    const readOnly = mount.readOnly === true || volume.configMap !== undefined || volume.secret !== undefined
    return { source, target: mount.mountPath, readOnly }
  })
}

/** The ConfigMaps and Secrets whose change has to reach a pod's files. */
export function mountedNames(pod: PodObject): {
  readonly configMaps: readonly string[]
  readonly secrets: readonly string[]
} {
  const volumes = pod.spec.volumes ?? []
  return {
    configMaps: volumes.flatMap((volume) => volume.configMap?.name ?? []),
    secrets: volumes.flatMap((volume) => volume.secret?.secretName ?? []),
  }
}
