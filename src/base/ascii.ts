/**
 * Strings from bytes that are all ASCII, and bytes from strings. `TextDecoder` and `TextEncoder` take about twice as long
 * as what some hosts offer natively, and heaps of text are most of the cost of reading and writing frames; so the
 * platform may bring its own.
 */

/** The string in `bytes[start, end)`, or `undefined` when some byte is not ASCII. */
export type AsciiReader = (bytes: Uint8Array, start: number, end: number) => string | undefined

/** The string in `bytes[start, end)`, all of which are known to be ASCII. */
export type KnownAsciiReader = (bytes: Uint8Array, start: number, end: number) => string

/** Writes as much of `text` as there is room for as UTF-8 at `bytes[at...]`; returns the number of bytes. */
export type Utf8Writer = (text: string, bytes: Uint8Array, at: number) => number

let reader: AsciiReader | undefined
let knownReader: KnownAsciiReader | undefined
let writer: Utf8Writer | undefined
const encoder = new TextEncoder()

/** `undefined` also where the host has nothing to offer: decode as UTF-8 then. */
export function readAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  return reader === undefined ? undefined : reader(bytes, start, end)
}

/** The same without looking at the bytes: whoever wrote them has said that they are ASCII. */
export function readKnownAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  return knownReader === undefined ? undefined : knownReader(bytes, start, end)
}

/**
 * Writes `text` as UTF-8 at `bytes[at...]`; returns the number of bytes. With room for `3 * text.length` bytes that is the
 * number of UTF-16 units only if all are ASCII; with less only whole characters that fit are written. Half of a surrogate
 * pair is not kept.
 */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  if (writer !== undefined) return writer(text, bytes, at)
  return encoder.encodeInto(text, bytes.subarray(at, at + text.length * 3)).written
}

/** Called once by the platform at start. */
export function useNativeText(
  read: AsciiReader,
  readKnown: KnownAsciiReader,
  write: Utf8Writer,
): void {
  reader = read
  knownReader = readKnown
  writer = write
}
