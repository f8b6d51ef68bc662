/** The host's native ASCII check, Latin-1 decoder and UTF-8 encoder. */
import { Buffer, isAscii } from 'node:buffer'
import { useNativeText } from '../base/ascii.ts'

/** They work on any byte array; the type library knows them on buffers only. */
const { latin1Slice, utf8Write } = Buffer.prototype as unknown as {
  latin1Slice(start: number, end: number): string
  utf8Write(text: string, at: number): number
}

/**
 * Reads heaps of ASCII text about twice as fast as `TextDecoder` (15 KB heaps, Node 20), and saves `TextEncoder` its view
 * of the target and its result.
 */
export function installNativeAscii(): void {
  useNativeText(
    (bytes, start, end) =>
      isAscii(bytes.subarray(start, end)) ? latin1Slice.call(bytes, start, end) : undefined,
    (bytes, start, end) => latin1Slice.call(bytes, start, end),
    (text, bytes, at) => utf8Write.call(bytes, text, at),
  )
}
