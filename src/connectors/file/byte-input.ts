/** The bytes of one input file from front to back: as they lie on disk, or expanded when the file is gzip. */
import { readFully } from '../../base/disk-io.ts'
import type { Disk, DiskFile } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors, inputError } from '../errors.ts'
import { type Decompressor, fileClients } from './clients.ts'
import { openStandardInput, standardInputPath } from './standard-input.ts'

export interface ByteInput {
  readonly compressed: boolean
  /** Reads some bytes into `target`; 0 at the end of the file. */
  read(target: Uint8Array): Promise<number>
  /** Moves on to this byte; resolves to where it got, which is less when the file ends before. Forward only. */
  skipTo(offset: number): Promise<number>
  /** Bytes on disk that are not read yet; of a compressed file undefined. */
  remaining(): Promise<number | undefined>
  close(): Promise<void>
}

export interface GzipLimits {
  /** Default 1 TiB. */
  readonly outputBytesMax?: number
  /** Default 250: beyond the first 64 MiB, a byte of the file may stand for so many of content. */
  readonly ratioMax?: number
}

/** TM1700, TM1701. A file that begins with the two magic bytes of gzip is expanded. */
export async function openByteInput(
  disk: Disk,
  file: string,
  limits: GzipLimits,
): Promise<ByteInput> {
  if (file === standardInputPath) return openStandardInput()
  await requireFile(disk, file)
  try {
    const handle = await disk.open(file, 'read')
    const magic = new Uint8Array(2)
    const count = await readFully(handle, magic, 0)
    if (count < 2 || magic[0] !== 0x1f || magic[1] !== 0x8b) return new PlainInput(file, handle)
    const decompressor = fileClients('gzip').gunzip({
      file,
      outputBytesMax: limits.outputBytesMax ?? 2 ** 40,
      ratioMax: limits.ratioMax ?? 250,
    })
    return new GzipInput(file, handle, decompressor)
  } catch (error) {
    throw inputError(error, file)
  }
}

/** TM1700 when nothing has this name, TM1701 when it is a directory. */
export async function requireFile(disk: Disk, file: string): Promise<void> {
  const stat = await disk.stat(file)
  if (stat === undefined) {
    throw new TidemillError(connectorErrors.fileMissing, { message: file, details: { file } })
  }
  if (stat.kind === 'directory') {
    throw new TidemillError(connectorErrors.fileUnreadable, {
      message: `${file} is a directory`,
      details: { file },
    })
  }
}

class PlainInput implements ByteInput {
  readonly compressed = false
  readonly #path: string
  readonly #file: DiskFile
  #offset = 0

  constructor(path: string, file: DiskFile) {
    this.#path = path
    this.#file = file
  }

  async read(target: Uint8Array): Promise<number> {
    try {
      const count = await this.#file.pread(target, this.#offset)
      this.#offset += count
      if (count === 0) await this.#requireWhole()
      return count
    } catch (error) {
      throw inputError(error, this.#path)
    }
  }

  async skipTo(offset: number): Promise<number> {
    const size = await this.#file.size()
    this.#offset = Math.min(size, offset)
    return this.#offset
  }

  async remaining(): Promise<number> {
    return Math.max(0, (await this.#file.size()) - this.#offset)
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /** A file that is cut while it is read must not look like one that ended. */
  async #requireWhole(): Promise<void> {
    const size = await this.#file.size()
    if (size < this.#offset) throw shrank(this.#path, this.#offset, size)
  }
}

/** Compressed bytes per step: small, so that what one step expands to is bounded too (gzip reaches 1,032:1). */
const stepBytes = 1 << 15

class GzipInput implements ByteInput {
  readonly compressed = true
  readonly #path: string
  readonly #file: DiskFile
  readonly #decompressor: Decompressor
  readonly #input = new Uint8Array(stepBytes)
  #inputOffset = 0
  #ended = false
  #pieces: readonly Uint8Array[] = []
  #piece = 0
  #at = 0
  #offset = 0

  constructor(path: string, file: DiskFile, decompressor: Decompressor) {
    this.#path = path
    this.#file = file
    this.#decompressor = decompressor
  }

  async read(target: Uint8Array): Promise<number> {
    let done = 0
    while (done < target.length) {
      const piece = this.#pieces[this.#piece]
      if (piece === undefined) {
        if (this.#ended || (done > 0 && done >= target.length >> 1)) break
        await this.#expand()
        continue
      }
      const count = Math.min(piece.length - this.#at, target.length - done)
      target.set(
        this.#at === 0 && count === piece.length
          ? piece
          : piece.subarray(this.#at, this.#at + count),
        done,
      )
      done += count
      this.#at += count
      if (this.#at < piece.length) continue
      this.#piece++
      this.#at = 0
    }
    this.#offset += done
    return done
  }

  async skipTo(offset: number): Promise<number> {
    const room = new Uint8Array(1 << 18)
    while (this.#offset < offset) {
      const count = await this.read(room.subarray(0, Math.min(room.length, offset - this.#offset)))
      if (count === 0) break
    }
    return this.#offset
  }

  async remaining(): Promise<undefined> {
    return undefined
  }

  async close(): Promise<void> {
    this.#decompressor.close()
    await this.#file.close()
  }

  async #expand(): Promise<void> {
    this.#piece = 0
    this.#at = 0
    let count: number
    try {
      count = await readFully(this.#file, this.#input, this.#inputOffset)
    } catch (error) {
      throw inputError(error, this.#path)
    }
    this.#inputOffset += count
    if (count > 0) {
      this.#pieces = await this.#decompressor.push(
        count === stepBytes ? this.#input : this.#input.subarray(0, count),
      )
    } else {
      this.#ended = true
      this.#pieces = await this.#decompressor.finish()
    }
  }
}

/** TM1702, the loss of data that a position stands on. */
export function shrank(file: string, offset: number, size: number): TidemillError {
  return new TidemillError(connectorErrors.inputShrank, {
    message: `${file}: byte ${offset} was reached, ${size} are left`,
    details: { file, offset, size },
  })
}
