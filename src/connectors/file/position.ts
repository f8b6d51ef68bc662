/** Where a reader of a text file stands, as bytes: version, offset, line, whether a record is being skipped, print. */
import { TidemillError } from '../../base/errors.ts'
import { Reader, Writer } from '../../schema/bytes.ts'
import { connectorErrors } from '../errors.ts'

export interface FilePosition {
  /** Bytes of content consumed: of a compressed file those of its expanded form. */
  readonly offset: number
  /** Lines consumed. */
  readonly line: number
  /** In the middle of a record that is too long: what follows up to the next line break is not a record. */
  readonly skipping: boolean
  /** The last `printLength` bytes before the offset have this CRC-32. */
  readonly printLength: number
  readonly printCrc: number
}

const version = 1

export function encodePosition(position: FilePosition): Uint8Array {
  const w = new Writer(24)
  w.u8(version)
  w.varint(position.offset)
  w.varint(position.line)
  w.u8(position.skipping ? 1 : 0)
  w.varint(position.printLength)
  w.u32(position.printCrc)
  return w.finish()
}

/** TM1708 for bytes that are no position of this version. */
export function decodePosition(bytes: Uint8Array, file: string): FilePosition {
  try {
    const r = new Reader(bytes)
    if (r.u8() !== version) throw new RangeError('another version')
    const position = {
      offset: r.varint(),
      line: r.varint(),
      skipping: r.u8() === 1,
      printLength: r.varint(),
      printCrc: r.u32(),
    }
    r.finish()
    return position
  } catch (cause) {
    throw new TidemillError(connectorErrors.positionUnknown, {
      message: file,
      details: { file },
      cause,
    })
  }
}
