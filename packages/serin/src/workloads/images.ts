import { existsSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Container } from '../resources/kubernetes/types.ts'
import { readDockerfile, type ImageStart } from './dockerfile.ts'
import { IMAGE_ANSWER_MS_MAX } from './limits.ts'
import { ask, type Engine } from './runtimes/engine.ts'
import { StartError, type Launch } from './runtimes/runtime.ts'

/**
 * From an image's name to how it is started. In this order: a directory that `--image NAME=DIR` or an annotation names (its Dockerfile says
 * how, else package.json's `start`); an image that podman or docker has; the container's own `command`. See docs/reference/workloads.md.
 */
export interface ImageSource {
  /** Throws StartError `ErrImagePull` when there is no way to start the container. */
  resolve(container: Container): Promise<ResolvedImage>
}

interface ResolvedImage {
  readonly launch: Launch
  /** What the image itself sets; the container's own `env` goes before. */
  readonly environment: Readonly<Record<string, string>>
  /** Where a path of the image lies on this machine. */
  readonly pathOf: (path: string) => string
}

export interface ImageSourceOptions {
  /** JSON: image name → directory. Read anew whenever it has changed. */
  readonly file: string
  /** Undefined: containers are not to be used. */
  readonly engine: Engine | undefined
  /** False: only containers are to be used. */
  readonly processes: boolean
}

export function createImageSource(options: ImageSourceOptions): ImageSource {
  const directories = new DirectoryTable(options.file)
  const engineImages = options.engine === undefined ? undefined : new EngineImages(options.engine)
  return {
    resolve: async (container) => {
      const image = container.image ?? ''
      const directory = options.processes ? directories.find(image) : undefined
      if (directory !== undefined) return fromDirectory(container, directory)
      const imageId = await engineImages?.find(image)
      if (imageId !== undefined) return fromEngine(container, image, imageId)
      if (options.processes && (container.command?.length ?? 0) > 0) return fromCommand(container)
      throw new StartError('ErrImagePull', unknownImage(image, options))
    },
  }
}

function unknownImage(image: string, { engine, processes }: ImageSourceOptions): string {
  const name = JSON.stringify(image)
  const withEngine =
    engine === undefined ? 'podman or docker (neither is used here)' : `${engine.program} (${engine.program} image ls)`
  if (!processes) return `no image ${name} in ${withEngine}`
  return (
    `nothing is known to start image ${name} from. Give it a directory (serin up --image ${image}=DIR, or the annotation ` +
    `serin.dev/image-directory in the pod template), or have the image in ${withEngine}, or give the container a command`
  )
}

/** `DATA/images.json`. */
class DirectoryTable {
  private readonly file: string
  private version = ''
  private table: ReadonlyMap<string, string> = new Map()

  constructor(file: string) {
    this.file = file
  }

  /** `name`, `name:latest` and what they stand for are one. */
  find(image: string): string | undefined {
    this.refresh()
    return this.table.get(normal(image))
  }

  private refresh(): void {
    const facts = statSync(this.file, { throwIfNoEntry: false })
    const version = facts === undefined ? '' : `${String(facts.mtimeMs)} ${String(facts.size)} ${String(facts.ino)}`
    if (version === this.version) return
    this.version = version
    this.table = facts === undefined ? new Map() : readTable(this.file)
  }
}

function readTable(file: string): ReadonlyMap<string, string> {
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : []
  return new Map(entries.map(([name, directory]) => [normal(name), String(directory)]))
}

function normal(image: string): string {
  const short = image.replace(/^docker\.io\/(library\/)?/, '')
  return /[:@][^/]*$/.test(short) ? short : `${short}:latest`
}

function fromDirectory(container: Container, directory: string): ResolvedImage {
  if (!existsSync(directory))
    throw new StartError('ErrImagePull', `the directory ${directory} of image ${container.image ?? ''} does not exist`)
  const start = startOf(directory)
  const own = container.command ?? []
  const argv =
    own.length > 0 ? [...own, ...(container.args ?? [])] : [...start.entrypoint, ...(container.args ?? start.command)]
  if (argv.length === 0) {
    throw new StartError(
      'ErrImagePull',
      `${directory} says nowhere how to start it: no CMD or ENTRYPOINT in a Dockerfile, no "start" in package.json`,
    )
  }
  const within = (path: string): string => inDirectory(path, start.workingDirectory, directory)
  return {
    launch: {
      type: 'process',
      argv: argv.map(within),
      directory: container.workingDir === undefined ? directory : within(container.workingDir),
      imageId: `directory:${directory}`,
    },
    environment: { ...start.environment, PATH: searchPath(directory, start.environment) },
    pathOf: within,
  }
}

function startOf(directory: string): ImageStart {
  const dockerfile = join(directory, 'Dockerfile')
  const start = existsSync(dockerfile) ? readDockerfile(readFileSync(dockerfile, 'utf8')) : undefined
  if (start !== undefined && start.entrypoint.length + start.command.length > 0) return start
  return { environment: {}, workingDirectory: '/', entrypoint: [], ...start, command: packageStart(directory) }
}

/** package.json's `start`, without npm between: it would cost 40 MB and 200 ms for each pod. */
function packageStart(directory: string): readonly string[] {
  const file = join(directory, 'package.json')
  if (!existsSync(file)) return []
  const parsed = JSON.parse(readFileSync(file, 'utf8')) as { scripts?: Record<string, string> }
  const script = parsed.scripts?.['start']
  if (script === undefined) return []
  // A simple command replaces its shell, so that a signal reaches it.
  return ['/bin/sh', '-c', /[;&|<>()`]/.test(script) ? script : `exec ${script}`]
}

/** A path of the image lies in the directory when it lies in the image's WORKDIR. */
function inDirectory(path: string, workingDirectory: string, directory: string): string {
  const root = workingDirectory.replace(/\/$/, '')
  if (root === '' || (path !== root && !path.startsWith(`${root}/`))) return path
  return existsSync(path) ? path : join(directory, path.slice(root.length))
}

/** The directory's own programs, then those that the image names and this machine has, then this process's. */
function searchPath(directory: string, environment: Readonly<Record<string, string>>): string {
  const path = [join(directory, 'node_modules/.bin'), process.env['PATH'] ?? '', environment['PATH'] ?? '']
  return path.filter((entry) => entry !== '').join(':')
}

function fromEngine(container: Container, image: string, imageId: string): ResolvedImage {
  return {
    launch: {
      type: 'container',
      image,
      imageId,
      ...(container.command === undefined ? {} : { command: container.command }),
      ...(container.args === undefined ? {} : { args: container.args }),
      ...(container.workingDir === undefined ? {} : { workingDir: container.workingDir }),
    },
    environment: {},
    pathOf: (path) => path,
  }
}

function fromCommand(container: Container): ResolvedImage {
  const { workingDir = '/' } = container
  if (!isAbsolute(workingDir)) {
    throw new StartError('CreateContainerConfigError', `workingDir ${JSON.stringify(workingDir)} is not absolute`)
  }
  return {
    launch: {
      type: 'process',
      argv: [...(container.command ?? []), ...(container.args ?? [])],
      directory: workingDir,
      imageId: '',
    },
    environment: {},
    pathOf: (path) => path,
  }
}

/** What the engine has, asked once for all pods that start at the same time: an answer costs a process. */
class EngineImages {
  private readonly answers = new Map<string, { readonly at: number; readonly id: Promise<string | undefined> }>()
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** The id of an image; undefined if there is none of that name. */
  find(image: string): Promise<string | undefined> {
    if (image === '') return Promise.resolve(undefined)
    const now = Date.now()
    for (const [name, { at }] of this.answers) if (now - at > IMAGE_ANSWER_MS_MAX) this.answers.delete(name)
    const known = this.answers.get(image)
    if (known !== undefined) return known.id
    const id = this.ask(image)
    this.answers.set(image, { at: now, id })
    return id
  }

  private async ask(image: string): Promise<string | undefined> {
    try {
      return await ask(this.engine, ['image', 'inspect', '--format', '{{.Id}}', image])
    } catch {
      // It has no such image, or does not answer: the next way is tried.
      return undefined
    }
  }
}
