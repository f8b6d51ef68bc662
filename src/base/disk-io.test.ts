import { beforeEach, describe, expect, it } from 'vitest'
import { readFully, readWhole, removeIfPresent, writeFully, writeNew } from './disk-io.ts'
import { type Disk, DiskError, type DiskFile } from './env.ts'

/** A file in memory that moves at most `step` bytes per call, as a disk may. */
class SteppingFile implements DiskFile {
  bytes = new Uint8Array(0)
  readonly calls: string[] = []
  step: number

  constructor(step: number) {
    this.step = step
  }

  pread(target: Uint8Array, position: number): Promise<number> {
    const part = this.bytes.subarray(position, position + Math.min(this.step, target.length))
    target.set(part)
    return Promise.resolve(part.length)
  }

  pwrite(source: Uint8Array, position: number): Promise<number> {
    const part = source.subarray(0, this.step)
    const grown = new Uint8Array(Math.max(this.bytes.length, position + part.length))
    grown.set(this.bytes)
    grown.set(part, position)
    this.bytes = grown
    return Promise.resolve(part.length)
  }

  fdatasync(): Promise<void> {
    this.calls.push('sync')
    return Promise.resolve()
  }

  truncate(): Promise<void> {
    return Promise.reject(new Error('not used'))
  }

  size(): Promise<number> {
    return Promise.resolve(this.bytes.length)
  }

  close(): Promise<void> {
    this.calls.push('close')
    return Promise.resolve()
  }
}

let file: SteppingFile
const disk = (over: Partial<Disk> = {}): Disk =>
  ({
    open: () => Promise.resolve(file),
    stat: () =>
      Promise.resolve({
        kind: 'file',
        sizeBytes: file.bytes.length,
        modifiedMs: 0,
        identity: '1',
      }),
    ...over,
  }) as Disk

beforeEach(() => {
  file = new SteppingFile(3)
})

const ten = Uint8Array.from({ length: 10 }, (_, index) => index + 1)

describe('writing', () => {
  it('goes on after a short write', async () => {
    await writeFully(file, ten, 0)
    await writeFully(file, ten.subarray(0, 4), 8)
    expect([...file.bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4])
  })

  it('fails when a write makes no progress, instead of trying for ever', async () => {
    file.step = 0
    await expect(writeFully(file, ten, 5)).rejects.toMatchObject({ errno: 'EIO' })
  })

  it('syncs a new file and closes it, also when the sync fails', async () => {
    await writeNew(disk(), 'a', ten)
    expect(file.calls).toEqual(['sync', 'close'])
    file = new SteppingFile(3)
    file.fdatasync = () => Promise.reject(new DiskError('EIO', 'a', 'sync'))
    await expect(writeNew(disk(), 'a', ten)).rejects.toMatchObject({ errno: 'EIO' })
    expect(file.calls).toEqual(['close'])
  })
})

describe('reading', () => {
  it('goes on after a short read and stops at the end', async () => {
    file.bytes = ten.slice()
    const target = new Uint8Array(7)
    expect(await readFully(file, target, 0)).toBe(7)
    expect([...target]).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await readFully(file, target, 8)).toBe(2)
  })

  it('returns the whole file, and nothing for a missing one or a directory', async () => {
    file.bytes = ten.slice()
    expect(await readWhole(disk(), 'a')).toEqual(ten)
    expect(file.calls).toEqual(['close'])
    const missing = disk({ stat: () => Promise.resolve(undefined) })
    expect(await readWhole(missing, 'a')).toBeUndefined()
    const folder = { kind: 'directory', sizeBytes: 0, modifiedMs: 0, identity: '1' } as const
    expect(await readWhole(disk({ stat: () => Promise.resolve(folder) }), 'a')).toBeUndefined()
  })

  it('returns what is there when the file shrank after its size was read', async () => {
    file.bytes = ten.slice(0, 4)
    file.size = () => Promise.resolve(10)
    expect(await readWhole(disk(), 'a')).toEqual(ten.subarray(0, 4))
  })
})

describe('removing', () => {
  it('does not mind a file that is gone, but reports every other error', async () => {
    const failing = (errno: string): Disk =>
      disk({ unlink: () => Promise.reject(new DiskError(errno, 'a', 'unlink')) })
    await expect(removeIfPresent(failing('ENOENT'), 'a')).resolves.toBeUndefined()
    await expect(removeIfPresent(failing('EACCES'), 'a')).rejects.toMatchObject({ errno: 'EACCES' })
  })
})
