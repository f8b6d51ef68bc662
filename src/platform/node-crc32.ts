/** The host's native CRC-32, where there is one. */
import * as zlib from 'node:zlib'
import { crc32Portable, useCrc32 } from '../base/crc32.ts'

/** Below this length the table is faster than the call out of JavaScript (measured on Node 20: even at about 128). */
const nativeFromBytes = 128

/** Replaces the table where Node has `zlib.crc32` (from 20.15). True when it did. */
export function installNativeCrc32(): boolean {
  const native = (zlib as { crc32?: (bytes: Uint8Array, seed?: number) => number }).crc32
  if (typeof native !== 'function') return false
  useCrc32((bytes, seed) =>
    bytes.length < nativeFromBytes ? crc32Portable(bytes, seed) : native(bytes, seed),
  )
  return true
}
