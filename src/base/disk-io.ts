/** Loops and whole-file helpers on top of {@link Disk}, so that no caller treats a short write as success. */
import { type Disk, DiskError, type DiskFile } from './env.ts'

/** Writes all bytes. A write that makes no progress is an `EIO`. */
export async function writeFully(
  file: DiskFile,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const count = await file.pwrite(done === 0 ? bytes : bytes.subarray(done), position + done)
    if (count <= 0) throw new DiskError('EIO', '', `write made no progress at ${position + done}`)
    done += count
  }
}

/** Reads exactly `target.length` bytes unless the file ends before; resolves to the count. */
export async function readFully(
  file: DiskFile,
  target: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0
  while (done < target.length) {
    const count = await file.pread(done === 0 ? target : target.subarray(done), position + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** The whole content of a file, or `undefined` when it does not exist. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  const stat = await disk.stat(path)
  if (stat === undefined || stat.kind !== 'file') return undefined
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    const count = await readFully(file, bytes, 0)
    return count === bytes.length ? bytes : bytes.subarray(0, count)
  } finally {
    await file.close()
  }
}

/** Writes a new file and syncs its content. The caller syncs the directory. */
export async function writeNew(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create')
  try {
    await writeFully(file, bytes, 0)
    await file.fdatasync()
  } finally {
    await file.close()
  }
}

/** Removes a file; no error when it is already gone. */
export async function removeIfPresent(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path)
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'ENOENT')) throw error
  }
}
