/** What a file sink has made durable in one epoch, as the bytes that the checkpoint keeps. */
import { TidemillError } from '../../base/errors.ts'
import { Reader, Writer } from '../../schema/bytes.ts'
import { connectorErrors } from '../errors.ts'

export interface PreparedFile {
  /** Names inside the sink's directory. */
  readonly pending: string
  readonly final: string
  readonly sizeBytes: number
  readonly crc: number
}

const version = 1
const noFiles: Uint8Array = new Uint8Array(0)

export function encodePrepared(files: readonly PreparedFile[]): Uint8Array {
  if (files.length === 0) return noFiles
  const w = new Writer()
  w.u8(version)
  w.varint(files.length)
  for (const file of files) {
    w.text(file.pending)
    w.text(file.final)
    w.varint(file.sizeBytes)
    w.u32(file.crc)
  }
  return w.finish()
}

/** TM1732 for bytes that this sink cannot have written. */
export function decodePrepared(bytes: Uint8Array, directory: string): PreparedFile[] {
  if (bytes.length === 0) return []
  try {
    const r = new Reader(bytes)
    if (r.u8() !== version) throw new RangeError('another version')
    const files: PreparedFile[] = []
    for (let i = r.count(4); i > 0; i--) {
      files.push({ pending: r.text(), final: r.text(), sizeBytes: r.varint(), crc: r.u32() })
    }
    r.finish()
    for (const { pending, final } of files) {
      if (pending.includes('/') || final.includes('/'))
        throw new RangeError('a name leaves the directory')
    }
    return files
  } catch (cause) {
    throw new TidemillError(connectorErrors.outputLost, {
      message: `${directory}: the list of prepared files is not readable`,
      details: { directory },
      cause,
    })
  }
}
