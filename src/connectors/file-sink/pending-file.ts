/** One result file that is being written. */
import { crc32 } from '../../base/crc32.ts'
import { writeFully } from '../../base/disk-io.ts'
import { type DiskFile, DiskError, type Env } from '../../base/env.ts'
import { pendingName, type Writing } from './names.ts'

export class PendingFile {
  readonly name: string
  sizeBytes = 0
  crc = 0
  readonly #file: DiskFile

  private constructor(name: string, file: DiskFile) {
    this.name = name
    this.#file = file
  }

  /** `serial` tells the next number to try: a life that was cut off may have left files of the same generation. */
  static async create(
    env: Env,
    directory: string,
    writing: Writing,
    serial: () => number,
  ): Promise<PendingFile> {
    for (;;) {
      const name = pendingName(writing, serial())
      try {
        return new PendingFile(name, await env.disk.open(`${directory}/${name}`, 'create'))
      } catch (error) {
        if (!(error instanceof DiskError && error.errno === 'EEXIST')) throw error
      }
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, bytes, this.sizeBytes)
    this.sizeBytes += bytes.length
    this.crc = crc32(bytes, this.crc)
  }

  sync(): Promise<void> {
    return this.#file.fdatasync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
