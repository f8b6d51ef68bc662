/**
 * Checkpoint storage in a directory.
 *
 * An object is written in these steps: (1) create `<name>.<random>.tmp`; (2) write; (3) `fdatasync`;
 * (4) publish under the final name without replacing anything; (5) sync the directory. Only then may anything refer
 * to it. Publishing is `link` and `unlink`, because `link` fails where `rename` would silently replace. A file system
 * without hard links gets an exclusive claim file `<name>.publishing`, a look, and a `rename`.
 */
import { readFully, removeIfPresent, writeFully } from '../base/disk-io.ts'
import { type Disk, DiskError, type DiskFile, type Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { checkpointErrors } from './errors.ts'
import { claimSuffix, temporarySuffix } from './names.ts'
import {
  type CheckpointStorage,
  type ObjectReader,
  type ObjectWriter,
  PublishOutcomeUnknown,
  type PublishStep,
  type PutOptions,
} from './storage.ts'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** Errors by which file systems say that they have no hard links. */
const linkUnsupported: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EINVAL',
])

/** What of the host a directory needs; random bits keep the temporary names of two writers apart. */
export type StorageEnv = Pick<Env, 'disk' | 'random'>

/** Creates the directory durably when it is missing, then gives access to the objects in it. */
export async function directoryStorage(
  env: StorageEnv,
  directory: string,
): Promise<CheckpointStorage> {
  await makeDirectoryDurable(env.disk, directory)
  return openDirectoryStorage(env, directory)
}

/** The same without touching the disk: for a directory that exists, and for readers that must not create one. */
export function openDirectoryStorage(env: StorageEnv, directory: string): CheckpointStorage {
  const { disk } = env
  return {
    location: directory,
    async put(name, options) {
      // Cheap early notice; what decides is the publish step.
      if (await exists(disk, pathOf(directory, name))) throw nameTaken(pathOf(directory, name))
      return startObject(env, directory, name, options)
    },
    async publish(name, bytes, options) {
      if (await exists(disk, pathOf(directory, name))) return false
      const writer = await startObject(env, directory, name, options)
      try {
        await writer.write(bytes)
        return await writer.publish()
      } catch (error) {
        await writer.abort()
        throw error
      }
    },
    get: (name) => openObject(disk, pathOf(directory, name)),
    list: () => disk.list(directory),
    async delete(names) {
      if (names.length === 0) return
      for (const name of names) await removeIfPresent(disk, pathOf(directory, name))
      await disk.syncDir(directory)
    },
  }
}

/**
 * Creates a directory and its missing parents; each entry survives a power cut afterwards. One level after the other,
 * each synced before the next: whatever an earlier life left, only the deepest directory can lack its sync.
 */
export async function makeDirectoryDurable(disk: Disk, directory: string): Promise<void> {
  const missing: string[] = []
  let path = directory
  while (!isRoot(path) && (await disk.stat(path)) === undefined) {
    missing.push(path)
    path = parentOf(path)
  }
  if (!isRoot(path)) await disk.syncDir(parentOf(path))
  for (const level of missing.reverse()) {
    await disk.mkdir(level)
    await disk.syncDir(parentOf(level))
  }
}

function isRoot(path: string): boolean {
  return path === '' || path === '/' || path === '.'
}

/** The parent of a `/` path; `.` for a bare name. */
export function parentOf(path: string): string {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  const cut = trimmed.lastIndexOf('/')
  return cut < 0 ? '.' : cut === 0 ? '/' : trimmed.slice(0, cut)
}

function pathOf(directory: string, name: string): string {
  if (!namePattern.test(name)) {
    throw new TidemillError(checkpointErrors.optionInvalid, {
      message: `${JSON.stringify(name)} cannot be the name of an object`,
    })
  }
  return `${directory}/${name}`
}

async function exists(disk: Disk, path: string): Promise<boolean> {
  return (await disk.stat(path)) !== undefined
}

async function startObject(
  env: StorageEnv,
  directory: string,
  name: string,
  options: PutOptions = {},
): Promise<DirectoryWriter> {
  const temporary = `${pathOf(directory, name)}.${env.random.u32().toString(16)}${temporarySuffix}`
  const file = await env.disk.open(temporary, 'create')
  return new DirectoryWriter(
    env.disk,
    directory,
    name,
    temporary,
    file,
    options.onStep ?? ignoreStep,
  )
}

class DirectoryWriter implements ObjectWriter {
  sizeBytes = 0
  readonly #disk: Disk
  readonly #directory: string
  readonly #name: string
  readonly #path: string
  readonly #temporary: string
  readonly #file: DiskFile
  readonly #onStep: (step: PublishStep) => void
  #state: 'open' | 'closed' | 'failed' = 'open'
  #failure: unknown
  #fileOpen = true
  /** From here on the temporary name must stay: it may be what a person needs, or is already gone. */
  #temporaryGone = false

  constructor(
    disk: Disk,
    directory: string,
    name: string,
    temporary: string,
    file: DiskFile,
    onStep: (step: PublishStep) => void,
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#name = name
    this.#path = `${directory}/${name}`
    this.#temporary = temporary
    this.#file = file
    this.#onStep = onStep
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#guarded(async () => {
      await writeFully(this.#file, bytes, this.sizeBytes)
      this.sizeBytes += bytes.length
    })
  }

  async finish(): Promise<void> {
    if (!(await this.publish())) {
      await this.abort()
      throw nameTaken(this.#path)
    }
  }

  /** `false` when the name exists. */
  async publish(): Promise<boolean> {
    return this.#guarded(async () => {
      this.#onStep('written')
      await this.#file.fdatasync()
      await this.#closeFile()
      this.#onStep('synced')
      if (!(await this.#takeName())) {
        await removeIfPresent(this.#disk, this.#temporary)
        this.#temporaryGone = true
        this.#state = 'closed'
        return false
      }
      this.#temporaryGone = true
      this.#onStep('published')
      try {
        await this.#disk.syncDir(this.#directory)
      } catch (error) {
        throw error instanceof DiskError ? new PublishOutcomeUnknown(this.#path, error) : error
      }
      this.#onStep('durable')
      this.#state = 'closed'
      return true
    })
  }

  async abort(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'failed'
    this.#failure ??= new Error('the writer was aborted')
    try {
      await this.#closeFile()
      if (!this.#temporaryGone) {
        await removeIfPresent(this.#disk, this.#temporary)
        this.#temporaryGone = true
      }
    } catch (error) {
      // A leftover is removed by the next owner; the caller is already reporting the first failure.
      if (!(error instanceof DiskError)) throw error
    }
  }

  /** Gives the temporary file its final name; `false` when that exists. */
  async #takeName(): Promise<boolean> {
    try {
      await this.#disk.link(this.#temporary, this.#path)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (error.errno === 'EEXIST') return false
      if (linkUnsupported.has(error.errno)) return this.#takeNameByClaim()
      // Without space or rights nothing happened; after anything else the name may exist or not.
      if (harmless.has(error.errno)) throw error
      throw new PublishOutcomeUnknown(this.#path, error)
    }
    try {
      await this.#disk.unlink(this.#temporary)
    } catch (error) {
      // The object is published; its second name is garbage that the next owner removes.
      if (!(error instanceof DiskError)) throw error
    }
    return true
  }

  async #takeNameByClaim(): Promise<boolean> {
    const claim = this.#path + claimSuffix
    let file: DiskFile
    try {
      file = await this.#disk.open(claim, 'create')
    } catch (error) {
      if (error instanceof DiskError && error.errno === 'EEXIST') return false
      throw error
    }
    await file.close()
    const absent = (await this.#disk.stat(this.#path)) === undefined
    if (absent) {
      try {
        await this.#disk.rename(this.#temporary, this.#path)
      } catch (error) {
        if (!(error instanceof DiskError) || harmless.has(error.errno)) throw error
        throw new PublishOutcomeUnknown(this.#path, error)
      }
    }
    await removeIfPresent(this.#disk, claim)
    return absent
  }

  async #closeFile(): Promise<void> {
    if (!this.#fileOpen) return
    this.#fileOpen = false
    await this.#file.close()
  }

  async #guarded<Result>(action: () => Promise<Result>): Promise<Result> {
    if (this.#state === 'failed') throw this.#failure
    if (this.#state === 'closed') throw new Error(`${this.#name} is already finished`)
    try {
      return await action()
    } catch (error) {
      this.#state = 'failed'
      this.#failure = error
      throw error
    }
  }
}

const harmless: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EACCES',
  'EROFS',
  'ENOENT',
  'EMFILE',
  'ENFILE',
])

function ignoreStep(): void {}

function nameTaken(path: string): TidemillError {
  return new TidemillError(checkpointErrors.nameTaken, { message: path, details: { file: path } })
}

async function openObject(disk: Disk, path: string): Promise<ObjectReader | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(path, 'read')
  } catch (error) {
    if (error instanceof DiskError && error.errno === 'ENOENT') return undefined
    throw error
  }
  try {
    const sizeBytes = await file.size()
    return {
      sizeBytes,
      read: (target, position) => readFully(file, target, position),
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
