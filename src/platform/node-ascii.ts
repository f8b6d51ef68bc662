/** The host's native ASCII check and Latin-1 decoder. */
import { Buffer, isAscii } from 'node:buffer'
import { useAsciiReader } from '../base/ascii.ts'

/** Works on any byte array; the type library knows it on buffers only. */
const latin1Slice = (
  Buffer.prototype as unknown as { latin1Slice(start: number, end: number): string }
).latin1Slice

/** Reads heaps of ASCII text about twice as fast as `TextDecoder` (15 KB heaps, Node 20). */
export function installNativeAscii(): void {
  useAsciiReader((bytes, start, end) =>
    isAscii(bytes.subarray(start, end)) ? latin1Slice.call(bytes, start, end) : undefined,
  )
}
