/** What plain rows and views of all layouts share. */
import { Reader } from '../schema/bytes.ts'
import type { ValueCodec } from '../schema/codec.ts'

/** Plain rows are frozen while `freeze` is set: in debug mode and in tests, where a write must not go unnoticed. */
export const rowSettings: { freeze: boolean } = { freeze: false }

/** Turns freezing of plain rows on or off for the whole process. */
export function freezeRows(freeze: boolean): void {
  rowSettings.freeze = freeze
}

/** Freezes a plain row and everything inside; bytes stay writable, they are copies. */
export function freezeDeep<Value>(value: Value): Value {
  if (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    !Object.isFrozen(value)
  ) {
    Object.freeze(value)
    for (const item of Object.values(value)) freezeDeep(item)
  }
  return value
}

const reader = new Reader()

/** Decodes the cell in `u8[start, end)`. TM1010. */
export function readCell(
  codec: ValueCodec<unknown>,
  u8: Uint8Array,
  start: number,
  end: number,
): unknown {
  reader.reset(u8, start, end)
  const value = codec.read(reader)
  reader.finish()
  return value
}
