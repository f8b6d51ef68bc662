/**
 * The simulated disk as one process sees it. A call is decided when it is made (fault, duration) and takes effect when
 * its event runs, so calls in flight overlap and overtake each other; when the process dies in between, the system may
 * have done all, some or none of it.
 */
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type FileStat,
  type OpenMode,
  type Random,
} from '../../base/env.ts'
import { crc32 } from '../../base/crc32.ts'
import type { DiskCall, FaultEffect, FaultPlan } from './faults.ts'
import type { DirectoryNode, DiskImage, DiskNode, FileNode } from './disk-image.ts'
import type { Kernel } from './kernel.ts'
import type { LifeState } from './life-state.ts'

/** What all processes share: the tree, its locks and limits. */
export interface SharedDisk {
  readonly image: DiskImage
  readonly locks: Map<DirectoryNode, { readonly life: LifeState; readonly owner: string }>
  readonly faults: FaultPlan
  readonly random: Random
  readonly diskMs: number
  capacityBytes: number
  openFilesMax: number
}

export interface DiskHooks {
  readonly kernel: Kernel
  /** Throws when the world stands still. */
  readonly mustRun: (life: LifeState) => void
  /** Called when the call is on its way; may end the process. */
  readonly afterIssue: (life: LifeState, call: DiskCall, path: string) => void
  readonly crash: (
    life: LifeState,
    effect: FaultEffect & { kind: 'crash' },
    call: DiskCall,
    path: string,
  ) => void
  readonly wallMs: () => number
}

/** One call on its way to the disk. */
interface Call<Result> {
  readonly name: DiskCall
  readonly path: string
  /** Second path of a rename or link. */
  readonly other?: string
  readonly position?: number
  /** Goes into the trace: length of a transfer, checksum of what is written, or size. */
  readonly amount?: number
  readonly run: (fault: FaultEffect | undefined) => Result
  readonly onFail?: () => void
  /** What the system may still do when the process dies before the answer. */
  readonly land?: (share: number) => void
}

export class LifeDisk implements Disk {
  readonly #life: LifeState
  readonly #shared: SharedDisk
  readonly #hooks: DiskHooks

  constructor(life: LifeState, shared: SharedDisk, hooks: DiskHooks) {
    this.#life = life
    this.#shared = shared
    this.#hooks = hooks
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    const create = () => {
      const { directory, name } = this.#parent(path, 'open')
      if (directory.entries.has(name)) throw failure('EEXIST', path, 'open')
      const node = this.#shared.image.newFile(this.#hooks.wallMs())
      directory.change([{ name, node }])
      return node
    }
    return this.#issue<DiskFile>({
      name: 'open',
      path,
      amount: modeNumber[mode],
      run: () => {
        if (this.#life.openFiles >= this.#shared.openFilesMax) throw failure('EMFILE', path, 'open')
        const node = mode === 'create' ? create() : this.#file(path, 'open')
        this.#life.openFiles++
        return new LifeFile(
          this,
          this.#life,
          this.#shared,
          this.#hooks,
          path,
          node,
          mode !== 'read',
        )
      },
      ...(mode === 'create' ? { land: whole(create) } : {}),
    })
  }

  rename(from: string, to: string): Promise<void> {
    const run = () => {
      const source = this.#parent(from, 'rename')
      const target = this.#parent(to, 'rename')
      const node = source.directory.entries.get(source.name)
      if (node === undefined) throw failure('ENOENT', from, 'rename')
      const existing = target.directory.entries.get(target.name)
      if (existing === node) return
      if (node.kind === 'directory' && isInside(target.directory, node))
        throw failure('EINVAL', to, 'rename')
      if (existing?.kind === 'directory' && isInside(source.directory, existing))
        throw failure('ENOTEMPTY', to, 'rename')
      if (existing !== undefined && existing.kind !== node.kind) {
        throw failure(existing.kind === 'directory' ? 'EISDIR' : 'ENOTDIR', to, 'rename')
      }
      if (existing?.kind === 'directory' && existing.entries.size > 0)
        throw failure('ENOTEMPTY', to, 'rename')
      const removal = { name: source.name, node: undefined }
      const addition = { name: target.name, node }
      if (source.directory === target.directory) source.directory.change([removal, addition])
      else {
        const serial = target.directory.change([addition])
        source.directory.change([removal], { directory: target.directory, serial })
      }
    }
    return this.#issue({ name: 'rename', path: from, other: to, run, land: whole(run) })
  }

  link(from: string, to: string): Promise<void> {
    const run = () => {
      const node = this.#find(from, 'link')
      if (node === undefined) throw failure('ENOENT', from, 'link')
      const { directory, name } = this.#parent(to, 'link')
      if (directory.entries.has(name)) throw failure('EEXIST', to, 'link')
      if (node.kind === 'directory') throw failure('EPERM', from, 'link')
      directory.change([{ name, node }])
    }
    return this.#issue({ name: 'link', path: from, other: to, run, land: whole(run) })
  }

  unlink(path: string): Promise<void> {
    const run = () => {
      this.#file(path, 'unlink')
      const { directory, name } = this.#parent(path, 'unlink')
      directory.change([{ name, node: undefined }])
    }
    return this.#issue({ name: 'unlink', path, run, land: whole(run) })
  }

  mkdir(path: string): Promise<void> {
    const run = () => void makeDirectories(this.#shared.image, path, this.#hooks.wallMs())
    return this.#issue({ name: 'mkdir', path, run, land: whole(run) })
  }

  list(path: string): Promise<readonly string[]> {
    return this.#issue<readonly string[]>({
      name: 'list',
      path,
      run: () => {
        const node = this.#find(path, 'list')
        if (node === undefined) return []
        if (node.kind !== 'directory') throw failure('ENOTDIR', path, 'list')
        return [...node.entries.keys()].sort()
      },
    })
  }

  syncDir(path: string): Promise<void> {
    const node = find(this.#shared.image, path)
    const upTo = node?.kind === 'directory' ? node.serial : 0
    return this.#issue({
      name: 'syncDir',
      path,
      run: () => {
        const directory = this.#find(path, 'syncDir')
        if (directory === undefined) throw failure('ENOENT', path, 'syncDir')
        if (directory.kind === 'file') throw failure('ENOTDIR', path, 'syncDir')
        if (directory === node) directory.sync(upTo)
      },
    })
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#issue<FileStat | undefined>({
      name: 'stat',
      path,
      run: () => {
        const node = find(this.#shared.image, path)
        if (node === undefined) return undefined
        const sizeBytes = node.kind === 'file' ? node.cache.length : 0
        return {
          kind: node.kind,
          sizeBytes,
          modifiedMs: node.modifiedMs,
          identity: `sim:${node.id}`,
        }
      },
    })
  }

  space(path: string): Promise<number> {
    return this.#issue({ name: 'space', path, run: () => freeBytes(this.#shared) })
  }

  lock(directory: string, owner: string): Promise<DiskLock> {
    return this.#issue<DiskLock>({
      name: 'lock',
      path: directory,
      run: () => {
        const node = this.#find(directory, 'lock')
        if (node === undefined) throw failure('ENOENT', directory, 'lock')
        if (node.kind === 'file') throw failure('ENOTDIR', directory, 'lock')
        const holder = this.#shared.locks.get(node)
        if (holder !== undefined) {
          const who = holder.life.paused ? 'a process, which does not answer' : holder.owner
          throw new DiskError('EBUSY', directory, `in use by ${who}`)
        }
        const held = { life: this.#life, owner }
        this.#shared.locks.set(node, held)
        const release = () => {
          if (this.#shared.locks.get(node) === held) this.#shared.locks.delete(node)
        }
        return {
          release: () =>
            this.#issue({ name: 'lock', path: directory, other: 'release', run: release }),
        }
      },
    })
  }

  issueForFile<Result>(call: Call<Result>): Promise<Result> {
    return this.#issue(call)
  }

  #issue<Result>(call: Call<Result>): Promise<Result> {
    const life = this.#life
    if (life.ending !== undefined) return new Promise(() => {}) // nobody is there any more to receive the answer
    const { kernel, mustRun, afterIssue, crash } = this.#hooks
    const { name, path, other = '', run, onFail, land } = call
    try {
      mustRun(life)
    } catch (error) {
      return Promise.reject(error)
    }
    const fault = this.#shared.faults.pick(name, path, other)
    kernel.trace.note(
      kernel.steps,
      kernel.nowMs,
      life.id,
      fault === undefined ? name : `${name}!${fault.kind}`,
      other === '' ? path : `${path} -> ${other}`,
      call.position ?? 0,
      call.amount ?? 0,
    )
    const delayMs =
      this.#shared.diskMs * (0.5 + this.#shared.random.float()) +
      (fault?.kind === 'delay' ? fault.ms : 0)
    return new Promise<Result>((resolve, reject) => {
      kernel.schedule(
        delayMs,
        life,
        () => {
          if (fault?.kind === 'fail') {
            onFail?.()
            reject(new DiskError(fault.errno, path, `${name} failed (injected)`))
            return
          }
          try {
            resolve(run(fault))
          } catch (error) {
            reject(error)
          }
        },
        fault?.kind === 'fail' ? undefined : land,
      )
      if (fault?.kind === 'crash') crash(life, fault, name, path)
      else afterIssue(life, name, path)
    })
  }

  /** `ENOTDIR` when the path leads through a file. */
  #find(path: string, call: string): DiskNode | undefined {
    const node = walk(this.#shared.image, partsOf(path))
    if (node !== 'blocked') return node
    throw failure('ENOTDIR', path, call)
  }

  #parent(path: string, call: string): { directory: DirectoryNode; name: string } {
    const parts = partsOf(path)
    const name = parts.pop()
    const directory = name === undefined ? undefined : walk(this.#shared.image, parts)
    if (name === undefined || directory === undefined) throw failure('ENOENT', path, call)
    if (directory === 'blocked' || directory.kind === 'file') throw failure('ENOTDIR', path, call)
    return { directory, name }
  }

  #file(path: string, call: string): FileNode {
    const node = this.#find(path, call)
    if (node === undefined) throw failure('ENOENT', path, call)
    if (node.kind === 'directory') throw failure('EISDIR', path, call)
    return node
  }
}

class LifeFile implements DiskFile {
  readonly #disk: LifeDisk
  readonly #life: LifeState
  readonly #shared: SharedDisk
  readonly #hooks: DiskHooks
  readonly #path: string
  readonly #node: FileNode
  readonly #writable: boolean
  #closed = false

  constructor(
    disk: LifeDisk,
    life: LifeState,
    shared: SharedDisk,
    hooks: DiskHooks,
    path: string,
    node: FileNode,
    writable: boolean,
  ) {
    this.#disk = disk
    this.#life = life
    this.#shared = shared
    this.#hooks = hooks
    this.#path = path
    this.#node = node
    this.#writable = writable
  }

  pread(target: Uint8Array, position: number): Promise<number> {
    const run = (fault: FaultEffect | undefined) => {
      const count = this.#node.cache.read(target, position)
      if (fault?.kind === 'flip' && count > 0) {
        const bit = (fault.bit ?? this.#shared.random.u32()) % (count * 8)
        target[bit >>> 3]! ^= 1 << (bit & 7)
      }
      return count
    }
    return this.#call({ name: 'pread', path: this.#path, position, amount: target.length, run })
  }

  pwrite(source: Uint8Array, position: number): Promise<number> {
    // The bytes are read when the write happens, as by the system: a buffer changed too early is stored changed.
    const write = (bytes: Uint8Array, at: number) => {
      const allowed = allowedBytes(this.#shared, this.#node, at, bytes.length)
      if (allowed <= 0 && bytes.length > 0) throw failure('ENOSPC', this.#path, 'pwrite')
      this.#node.write(allowed < bytes.length ? bytes.subarray(0, allowed) : bytes, at)
      this.#node.modifiedMs = this.#hooks.wallMs()
      return Math.min(allowed, bytes.length)
    }
    const run = (fault: FaultEffect | undefined) => {
      if (fault?.kind === 'misdirect') return write(source, Math.max(0, position + fault.byBytes))
      if (fault?.kind !== 'short' || source.length === 0) return write(source, position)
      const bytes = fault.bytes ?? 1 + (this.#shared.random.u32() % source.length)
      return write(source.subarray(0, Math.min(bytes, source.length)), position)
    }
    const land = (share: number) =>
      void write(source.subarray(0, Math.floor(source.length * share)), position)
    return this.#call(
      { name: 'pwrite', path: this.#path, position, amount: crc32(source), run, land },
      true,
    )
  }

  fdatasync(): Promise<void> {
    const upTo = this.#node.serial
    return this.#call({
      name: 'fdatasync',
      path: this.#path,
      amount: upTo,
      run: () => this.#node.sync(upTo),
      onFail: () => this.#node.dropUnsynced(upTo),
      land: (share) => {
        if (share === 1) this.#node.sync(upTo)
      },
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    const run = () => {
      if (!(sizeBytes >= 0)) throw failure('EINVAL', this.#path, 'truncate')
      this.#node.truncate(sizeBytes)
    }
    return this.#call(
      { name: 'truncate', path: this.#path, amount: sizeBytes, run, land: whole(run) },
      true,
    )
  }

  size(): Promise<number> {
    return this.#call({ name: 'size', path: this.#path, run: () => this.#node.cache.length })
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    const closing = this.#call({ name: 'close', path: this.#path, run: () => {} })
    this.#closed = true
    this.#life.openFiles--
    return closing
  }

  #call<Result>(call: Call<Result>, writes: boolean = false): Promise<Result> {
    if (this.#closed || (writes && !this.#writable)) {
      const why = this.#closed ? 'the file is closed' : 'the file is open for reading only'
      return Promise.reject(new DiskError('EBADF', this.#path, `${call.name} failed (${why})`))
    }
    return this.#disk.issueForFile(call)
  }
}

const modeNumber: Readonly<Record<OpenMode, number>> = { read: 0, write: 1, create: 2 }

/** For calls that happen entirely or not at all. What cannot happen any more when the process is dead is let go. */
function whole(run: () => unknown): (share: number) => void {
  return (share) => {
    if (share >= 0.5) run()
  }
}

function failure(errno: string, path: string, call: string): DiskError {
  return new DiskError(errno, path, `${call} failed`)
}

function freeBytes(shared: SharedDisk): number {
  if (shared.capacityBytes === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
  return Math.max(0, shared.capacityBytes - shared.image.usedBytes())
}

/** How much of a write fits: the first bytes up to the capacity, like a real file system that fills up. */
function allowedBytes(shared: SharedDisk, node: FileNode, position: number, count: number): number {
  if (shared.capacityBytes === Number.POSITIVE_INFINITY) return count
  return Math.min(count, Math.max(0, node.cache.length + freeBytes(shared) - position))
}

/** `a/b` and `/a/./b` are the same file: the simulated process stands in the root. */
export function partsOf(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}

export function find(image: DiskImage, path: string): DiskNode | undefined {
  const node = walk(image, partsOf(path))
  return node === 'blocked' ? undefined : node
}

/** `blocked` when a file is in the way. */
function walk(image: DiskImage, parts: readonly string[]): DiskNode | undefined | 'blocked' {
  let node: DiskNode | undefined = image.root
  for (const part of parts) {
    if (node === undefined) return undefined
    if (node.kind === 'file') return 'blocked'
    node = node.entries.get(part)
  }
  return node
}

export function makeDirectories(image: DiskImage, path: string, nowMs: number): DirectoryNode {
  let directory = image.root
  const parts = partsOf(path)
  for (const [depth, name] of parts.entries()) {
    let next = directory.entries.get(name)
    if (next === undefined) {
      next = image.newDirectory(nowMs)
      directory.change([{ name, node: next }])
    }
    if (next.kind === 'file')
      throw failure(depth === parts.length - 1 ? 'EEXIST' : 'ENOTDIR', path, 'mkdir')
    directory = next
  }
  return directory
}

function isInside(directory: DirectoryNode, ancestor: DirectoryNode): boolean {
  if (directory === ancestor) return true
  for (const node of ancestor.entries.values()) {
    if (node.kind === 'directory' && isInside(directory, node)) return true
  }
  return false
}
