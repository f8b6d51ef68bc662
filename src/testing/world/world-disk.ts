/** The simulated disk as a test sees it from outside: look, damage, restore, all without a simulated process. */
import { TidemillError } from '../../base/errors.ts'
import { testingErrors } from '../errors.ts'
import { find, makeDirectories, partsOf, type SharedDisk } from './disk.ts'
import { Content, type DirectoryNode, type FileNode } from './disk-image.ts'
import type { DiskFault, InjectedFault } from './faults.ts'

export interface WorldFile {
  readonly path: string
  readonly sizeBytes: number
  /** Size on the medium, without what is only cached. */
  readonly durableBytes: number
  /** Writes and truncations not synced. */
  readonly unsynced: number
}

export interface WorldDisk {
  /** All files, sorted by path. */
  files(): readonly WorldFile[]
  /** Copy of what a process would read. */
  read(path: string): Uint8Array
  /** Puts a file there, durably, with its directories; replaces the content of an existing one. */
  write(path: string, bytes: Uint8Array): void
  remove(path: string): void
  /** Flips one bit of the stored content, counted from the start of the file. */
  corrupt(path: string, bit: number): void
  /** Drops the file's cached pages: after a failed sync, reads fall back to what the medium holds. */
  evict(path: string): void
  inject(fault: DiskFault): InjectedFault
  capacityBytes: number
  openFilesMax: number
}

export function createWorldDisk(shared: SharedDisk, nowMs: () => number): WorldDisk {
  const file = (path: string, call: string): FileNode => {
    const node = find(shared.image, path)
    if (node?.kind !== 'file')
      throw new TidemillError(testingErrors.worldUse, { message: `${call}: no file ${path}` })
    return node
  }
  const parent = (path: string): { directory: DirectoryNode; name: string } => {
    const parts = partsOf(path)
    const name = parts.pop() ?? ''
    const directory = makeDirectories(shared.image, parts.join('/'), nowMs())
    return { directory, name }
  }
  return {
    files: () =>
      shared.image.files().map(({ path, node }) => ({
        path,
        sizeBytes: node.cache.length,
        durableBytes: node.durable.length,
        unsynced: node.unsynced,
      })),
    read: (path) => file(path, 'read').cache.copy(),
    write(path, bytes) {
      let node = find(shared.image, path)
      if (node === undefined) {
        const { directory, name } = parent(path)
        node = shared.image.newFile(nowMs())
        directory.change([{ name, node }])
        syncPath(shared, path)
      }
      if (node.kind !== 'file')
        throw new TidemillError(testingErrors.worldUse, {
          message: `write: ${path} is a directory`,
        })
      node.sync(node.serial)
      node.durable = new Content(bytes.slice())
      node.evict()
      node.modifiedMs = nowMs()
    },
    remove(path) {
      file(path, 'remove')
      const { directory, name } = parent(path)
      directory.change([{ name, node: undefined }])
      directory.sync(directory.serial)
    },
    corrupt(path, bit) {
      const node = file(path, 'corrupt')
      if (!(bit >= 0 && bit < node.cache.length * 8)) {
        throw new TidemillError(testingErrors.worldUse, {
          message: `corrupt: ${path} has no bit ${bit}`,
        })
      }
      node.cache.flip(bit)
      node.durable.flip(bit)
    },
    evict: (path) => file(path, 'evict').evict(),
    inject: (fault) => shared.faults.inject(fault),
    get capacityBytes() {
      return shared.capacityBytes
    },
    set capacityBytes(bytes) {
      shared.capacityBytes = bytes
    },
    get openFilesMax() {
      return shared.openFilesMax
    },
    set openFilesMax(count) {
      shared.openFilesMax = count
    },
  }
}

/** Makes every directory on the way to this path durable. */
function syncPath(shared: SharedDisk, path: string): void {
  let directory: DirectoryNode = shared.image.root
  for (const name of partsOf(path)) {
    directory.sync(directory.serial)
    const next = directory.entries.get(name)
    if (next?.kind !== 'directory') return
    directory = next
  }
}
