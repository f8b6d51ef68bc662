/**
 * Files and directories of a real machine, over the callback interface of `node:fs` (a `FileHandle` costs an object, a
 * promise and a lookup more per call).
 *
 * A file knows how many calls are in flight and closes its descriptor after the last one: a number that is closed too
 * early may already belong to another file. After a failed sync it refuses everything but reads and `close`, because
 * the system has dropped the pages and a second sync would report success for data that is gone.
 */
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { type Disk, DiskError, type DiskFile, type FileStat, type OpenMode } from '../base/env.ts'
import { diskError } from './disk-error.ts'
import { type LockOptions, lockDirectory } from './node-lock.ts'

export function createNodeDisk(options: LockOptions): Disk {
  // Sources of `publishByRename`, whose later `unlink` has nothing left to do.
  const movedAway = new Set<string>()
  return {
    open,
    rename: (from, to) => call('rename', from, (done) => fs.rename(from, to, done)),
    async link(from, to) {
      try {
        await call('link', to, (done) => fs.link(from, to, done))
      } catch (error) {
        if (!(error instanceof DiskError) || !noHardLinks.has(error.errno)) throw error
        if ((await stat(from))?.kind !== 'file') throw error // EPERM is also the answer to a link to a directory
        await publishByRename(from, to)
        movedAway.add(from)
      }
    },
    async unlink(path) {
      if (movedAway.delete(path) && (await stat(path)) === undefined) return
      await call('unlink', path, (done) => fs.unlink(path, done))
    },
    mkdir: (path) => makeDirectory(path),
    list,
    syncDir,
    stat,
    async space(path) {
      const info = await value<fs.StatsFs>('statfs', path, (done) => fs.statfs(path, done))
      return info.bavail * info.bsize
    },
    lock: (directory, owner) => lockDirectory(directory, owner, options),
  }
}

const openFlags: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
}

async function open(path: string, mode: OpenMode): Promise<DiskFile> {
  const fd = await value<number>('open', path, (done) =>
    fs.open(path, openFlags[mode], 0o644, done),
  )
  return new NodeFile(path, fd)
}

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #fd: number
  #inFlight = 0
  #closed = false
  #poisoned = false
  #whenIdle: (() => void) | undefined

  constructor(path: string, fd: number) {
    this.#path = path
    this.#fd = fd
  }

  pread(target: Uint8Array, position: number): Promise<number> {
    return this.#run('read', (resolve, reject) => {
      let done = 0
      const step = () =>
        fs.read(this.#fd, target, done, target.length - done, position + done, onRead)
      const onRead = (error: unknown, count: number) => {
        if (error) {
          reject(error)
          return
        }
        done += count
        // A signal or a huge request may cut a read short; only a count of 0 means the end of the file.
        if (count === 0 || done === target.length) resolve(done)
        else step()
      }
      step()
    })
  }

  pwrite(source: Uint8Array, position: number): Promise<number> {
    return this.#run('write', (resolve, reject) => {
      this.#refusePoisoned('write')
      fs.write(this.#fd, source, 0, source.length, position, (error, count) => {
        if (error) reject(error)
        else resolve(count)
      })
    })
  }

  fdatasync(): Promise<void> {
    return this.#run('fdatasync', (resolve, reject) => {
      this.#refusePoisoned('fdatasync')
      fs.fdatasync(this.#fd, (error) => {
        if (error) {
          this.#poisoned = true
          reject(error)
        } else resolve()
      })
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#run('truncate', (resolve, reject) => {
      this.#refusePoisoned('truncate')
      fs.ftruncate(this.#fd, sizeBytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  size(): Promise<number> {
    return this.#run('fstat', (resolve, reject) => {
      fs.fstat(this.#fd, (error, info) => (error ? reject(error) : resolve(info.size)))
    })
  }

  /** Waits for the calls in flight. Closing twice is harmless. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    await call('close', this.#path, (done) => fs.close(this.#fd, done))
  }

  #run<Result>(
    name: string,
    begin: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
  ): Promise<Result> {
    if (this.#closed)
      return Promise.reject(new DiskError('EBADF', this.#path, `${name} on a closed file`))
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#settled()
        reject(diskError(error, name, this.#path))
      }
      this.#inFlight++
      try {
        begin((result) => {
          this.#settled()
          resolve(result)
        }, fail)
      } catch (error) {
        fail(error)
      }
    })
  }

  #settled(): void {
    this.#inFlight--
    if (this.#inFlight === 0) this.#whenIdle?.()
  }

  #refusePoisoned(name: string): void {
    if (this.#poisoned)
      throw new DiskError('EIO', this.#path, `${name} refused, an earlier sync of this file failed`)
  }
}

async function list(path: string): Promise<readonly string[]> {
  try {
    const names = await value<string[]>('list', path, (done) => fs.readdir(path, done))
    return names.sort()
  } catch (error) {
    if (error instanceof DiskError && error.errno === 'ENOENT') return []
    throw error
  }
}

async function stat(path: string): Promise<FileStat | undefined> {
  try {
    const info = await value<fs.BigIntStats>('stat', path, (done) =>
      fs.stat(path, { bigint: true }, done),
    )
    return {
      kind: info.isFile() ? 'file' : info.isDirectory() ? 'directory' : 'other',
      sizeBytes: Number(info.size),
      modifiedMs: Number(info.mtimeNs) / 1e6,
      // File systems hand the number of a removed file to the next one at once; the time of birth tells them apart.
      identity: `${info.dev}:${info.ino}:${info.birthtimeNs}`,
    }
  } catch (error) {
    if (error instanceof DiskError && (error.errno === 'ENOENT' || error.errno === 'ENOTDIR'))
      return undefined
    throw error
  }
}

/** What a directory answers to `fsync` where the file system has no such operation. */
const cannotSyncDirectory: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EISDIR'])

/** A file of that name is the caller's mistake; syncing it instead would hide that. */
const directoryOnly = fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0)

async function syncDir(path: string): Promise<void> {
  if (process.platform === 'win32') return // directories cannot be opened there; NTFS journals names by itself
  const fd = await value<number>('open', path, (done) => fs.open(path, directoryOnly, done))
  try {
    await call('syncDir', path, (done) => fs.fsync(fd, done))
  } catch (error) {
    if (!(error instanceof DiskError && cannotSyncDirectory.has(error.errno))) throw error
  } finally {
    await call('close', path, (done) => fs.close(fd, done))
  }
}

const noHardLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EMLINK'])

/**
 * Publish-if-absent without hard links: an exclusive claim keeps other publishers of this name out while the file is
 * moved there. The old name is gone afterwards, earlier than with `link` and `unlink`; after a crash a claim may stay
 * behind, which blocks that one name only.
 */
export async function publishByRename(from: string, to: string): Promise<void> {
  const claim = `${to}.claim`
  const fd = await value<number>('claim', to, (done) => fs.open(claim, 'wx', done))
  try {
    await call('close', claim, (done) => fs.close(fd, done))
    if ((await stat(to)) !== undefined)
      throw new DiskError('EEXIST', to, 'link failed (the name is taken)')
    await call('rename', from, (done) => fs.rename(from, to, done))
  } finally {
    await call('unlink', claim, (done) => fs.unlink(claim, done))
  }
}

/**
 * With what is above it. Node's own recursion goes on for ever where the system answers ENOENT although the parent is there,
 * as in /proc and in some mounted file systems.
 */
async function makeDirectory(path: string, isParentThere = false): Promise<void> {
  try {
    await call('mkdir', path, (done) => fs.mkdir(path, done))
  } catch (error) {
    const parent = dirname(path)
    const isMissing = error instanceof DiskError && error.errno === 'ENOENT'
    if (isMissing && !isParentThere && parent !== path) {
      await makeDirectory(parent)
      await makeDirectory(path, true)
    } else if (isMissing || (await stat(path))?.kind !== 'directory') throw error
  }
}

type Done = (error: NodeJS.ErrnoException | null) => void

function call(name: string, path: string, begin: (done: Done) => void): Promise<void> {
  return value<void>(name, path, begin)
}

function value<Result>(
  name: string,
  path: string,
  begin: (done: (error: NodeJS.ErrnoException | null, result: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    try {
      begin((error, result) => (error ? reject(diskError(error, name, path)) : resolve(result)))
    } catch (error) {
      reject(diskError(error, name, path)) // Node checks arguments before the call, e.g. a NUL in the path
    }
  })
}
