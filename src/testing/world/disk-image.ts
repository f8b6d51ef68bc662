/**
 * The state of the simulated disk: what the page cache shows, what the medium holds, and what lies in between.
 *
 * A file is its cached content, its durable content, and the list of writes not yet synced. A directory is its
 * current entries, its durable entries, and the list of changes not yet synced. A sync moves the front of the list
 * to the durable side. A power cut decides for every un-synced write on its own whether it reached the medium whole,
 * cut at some byte, as zeros or not at all, and for every directory how long a prefix of its changes did.
 */
import type { Random } from '../../base/env.ts'

/** Bytes that grow. Everything at or past `length` in the buffer is zero, so growing leaves a hole of zeros. */
export class Content {
  #bytes: Uint8Array
  length: number

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes
    this.length = bytes.length
  }

  write(source: Uint8Array, position: number): void {
    if (source.length === 0) return
    const end = position + source.length
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2, 256))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(source, position)
    if (end > this.length) this.length = end
  }

  truncate(size: number): void {
    if (size < this.length) this.#bytes.fill(0, size, this.length)
    else if (size > this.length) this.write(new Uint8Array(size - this.length), this.length)
    this.length = size
  }

  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.length - position))
    if (count > 0) target.set(this.#bytes.subarray(position, position + count))
    return count
  }

  flip(bit: number): void {
    const at = bit >>> 3
    if (at < this.length) this.#bytes[at]! ^= 1 << (bit & 7)
  }

  copy(): Uint8Array {
    return this.#bytes.slice(0, this.length)
  }
}

type Unsynced =
  | {
      readonly kind: 'write'
      readonly serial: number
      readonly position: number
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'truncate'; readonly serial: number; readonly size: number }

export class FileNode {
  readonly kind = 'file'
  readonly id: number
  cache = new Content()
  durable = new Content()
  modifiedMs: number
  #unsynced: Unsynced[] = []
  #serial = 0

  constructor(id: number, modifiedMs: number) {
    this.id = id
    this.modifiedMs = modifiedMs
  }

  get unsynced(): number {
    return this.#unsynced.length
  }

  /** A number that grows with every change: a sync covers the changes up to the one current at its start. */
  get serial(): number {
    return this.#serial
  }

  write(source: Uint8Array, position: number): void {
    if (source.length === 0) return
    this.cache.write(source, position)
    this.#unsynced.push({ kind: 'write', serial: ++this.#serial, position, bytes: source.slice() })
  }

  truncate(size: number): void {
    this.cache.truncate(size)
    this.#unsynced.push({ kind: 'truncate', serial: ++this.#serial, size })
  }

  sync(upTo: number): void {
    for (const change of this.#take(upTo)) apply(this.durable, change)
  }

  /** A sync failed: the system counts the pages as clean, so no later sync writes them, but reads still see them. */
  dropUnsynced(upTo: number): void {
    this.#take(upTo)
  }

  /** The system lets go of the cached pages: reads see what a write-back would leave. */
  evict(): void {
    this.cache = new Content(this.durable.copy())
    for (const change of this.#unsynced) apply(this.cache, change)
  }

  powerCut(random: Random): void {
    const survival = survivals[random.u32() % survivals.length]!
    for (const change of this.#take(this.#serial)) {
      if (random.float() < survival) apply(this.durable, change)
      else if (change.kind === 'write') damage(this.durable, change, random)
    }
    this.cache = new Content(this.durable.copy())
  }

  #take(upTo: number): Unsynced[] {
    let count = 0
    while (count < this.#unsynced.length && this.#unsynced[count]!.serial <= upTo) count++
    return this.#unsynced.splice(0, count)
  }
}

/** Some power cuts keep nearly everything, some nothing: mixtures alone would rarely show either extreme. */
const survivals = [0, 0.3, 0.6, 0.9, 1] as const

function apply(content: Content, change: Unsynced): void {
  if (change.kind === 'write') content.write(change.bytes, change.position)
  else content.truncate(change.size)
}

function damage(content: Content, change: Unsynced & { kind: 'write' }, random: Random): void {
  const fate = random.u32() % 4
  if (fate === 0)
    content.write(change.bytes.subarray(0, random.u32() % change.bytes.length), change.position)
  else if (fate === 1) content.write(new Uint8Array(change.bytes.length), change.position)
}

export type DiskNode = FileNode | DirectoryNode

interface EntryChange {
  readonly name: string
  /** `undefined` removes the name. */
  readonly node: DiskNode | undefined
}

/** One directory operation: all its changes become durable together. */
export interface DirectoryChange {
  readonly serial: number
  readonly changes: readonly EntryChange[]
  /** The other half of a rename between directories: the removal never becomes durable without the addition. */
  readonly needs: { readonly directory: DirectoryNode; readonly serial: number } | undefined
}

export class DirectoryNode {
  readonly kind = 'directory'
  readonly id: number
  modifiedMs: number
  entries = new Map<string, DiskNode>()
  durable = new Map<string, DiskNode>()
  unsynced: DirectoryChange[] = []
  #serial = 0

  constructor(id: number, modifiedMs: number) {
    this.id = id
    this.modifiedMs = modifiedMs
  }

  get serial(): number {
    return this.#serial
  }

  /** Serial number of the change. */
  change(changes: readonly EntryChange[], needs?: DirectoryChange['needs']): number {
    applyEntries(this.entries, changes)
    this.unsynced.push({ serial: ++this.#serial, changes, needs })
    return this.#serial
  }

  sync(upTo: number): void {
    let count = 0
    for (; count < this.unsynced.length; count++) {
      const change = this.unsynced[count]!
      if (change.serial > upTo) break
      change.needs?.directory.sync(change.needs.serial)
      applyEntries(this.durable, change.changes)
    }
    this.unsynced.splice(0, count)
  }
}

function applyEntries(entries: Map<string, DiskNode>, changes: readonly EntryChange[]): void {
  for (const { name, node } of changes) {
    if (node === undefined) entries.delete(name)
    else entries.set(name, node)
  }
}

/** The whole tree. Directories are never removed: the seam has no such call. */
export class DiskImage {
  readonly root: DirectoryNode
  readonly #directories: DirectoryNode[] = []
  #nextId = 1

  constructor() {
    this.root = this.newDirectory(0)
  }

  newDirectory(nowMs: number): DirectoryNode {
    const directory = new DirectoryNode(this.#nextId++, nowMs)
    this.#directories.push(directory)
    return directory
  }

  newFile(nowMs: number): FileNode {
    return new FileNode(this.#nextId++, nowMs)
  }

  powerCut(random: Random): void {
    for (const directory of this.#directories) directory.sync(survivingSerial(directory, random))
    for (const directory of this.#directories) {
      directory.unsynced = []
      directory.entries = new Map(directory.durable)
    }
    for (const { node } of this.files()) node.powerCut(random)
  }

  /** Every name of a file that can be reached, sorted by path; a file with two names comes twice. */
  files(): { path: string; node: FileNode }[] {
    const found: { path: string; node: FileNode }[] = []
    collect(this.root, '', found)
    return found.sort((left, right) => (left.path < right.path ? -1 : 1))
  }

  usedBytes(): number {
    const nodes = new Set(this.files().map(({ node }) => node))
    let sum = 0
    for (const node of nodes) sum += node.cache.length
    return sum
  }
}

function collect(
  directory: DirectoryNode,
  path: string,
  into: { path: string; node: FileNode }[],
): void {
  for (const [name, node] of directory.entries) {
    if (node.kind === 'file') into.push({ path: `${path}/${name}`, node })
    else collect(node, `${path}/${name}`, into)
  }
}

/** The serial up to which the changes of this directory survive: any prefix of those not synced. */
function survivingSerial(directory: DirectoryNode, random: Random): number {
  const { unsynced } = directory
  if (unsynced.length === 0) return directory.serial
  const count = random.u32() % (unsynced.length + 1)
  return count === 0 ? unsynced[0]!.serial - 1 : unsynced[count - 1]!.serial
}
