/**
 * Bytes that are all ASCII as a string. A `TextDecoder` takes about twice as long as what some hosts offer natively, and
 * decoding heaps of text is most of the cost of reading frames; so the platform may bring its own.
 */

/** The string in `bytes[start, end)`, or `undefined` when some byte is not ASCII. */
export type AsciiReader = (bytes: Uint8Array, start: number, end: number) => string | undefined

let reader: AsciiReader | undefined

/** `undefined` also where the host has nothing to offer: decode as UTF-8 then. */
export function readAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  return reader === undefined ? undefined : reader(bytes, start, end)
}

/** Called once by the platform at start. */
export function useAsciiReader(native: AsciiReader): void {
  reader = native
}
