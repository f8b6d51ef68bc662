/**
 * The frame format, version 1, in one place for the writer and the reader (docs/formats/frame.md).
 *
 *   0  u32  magic 'TMF1'           4  u8 version, 5  u8 flags, 6  u16 number of columns
 *   8  u32  bytes in all           12 u32 rows
 *   16 f64  smallest event time    24 f64 largest event time
 *   32 8    schema fingerprint     40 u32 directory entries, 44 u32 zero
 *   48      directory: two u32 per entry, in the order of columns -
 *             a part of a variant: rows, 0; a heap: bytes, 1 if all ASCII
 *   then, each starting at a multiple of 8: event times, key hashes, columns. A column is
 *     [map of absent values, one bit per row] and
 *     doubles | bytes | rows + 1 ends (i32, the first is 0) and heap
 */
export const MAGIC = 0x3146_4d54
export const VERSION = 1
export const FLAG_TIMESTAMPS = 1
export const FLAG_HASHES = 2
export const HEADER_BYTES = 48

/** Numbers of a column in the slot table that layouts turn into properties: o, n, p, b, a. */
export const SLOTS = 5

if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) {
  throw new RangeError(
    'Tidemill needs a little-endian processor, as all that run JavaScript engines today are',
  )
}

/** The next multiple of 8. */
export function pad8(bytes: number): number {
  return (bytes + 7) & ~7
}
