/**
 * What file sources need from third parties and cannot import: decompression and CSV quoting. A host installs them once
 * at start (`client.ts` of this folder has those of Node), so the engine itself stays free of both.
 */
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors } from '../errors.ts'

/** Expands one compressed stream, piece by piece. Throws TM1705 for damaged and TM1706 for oversized content. */
export interface Decompressor {
  /** The bytes that `input` adds; `input` may be reused afterwards. */
  push(input: Uint8Array): Promise<readonly Uint8Array[]>
  /** The rest after the last input. TM1705 when the stream is not complete. */
  finish(): Promise<readonly Uint8Array[]>
  close(): void
}

export interface ExpansionLimits {
  /** For messages. */
  readonly file: string
  readonly outputBytesMax: number
  /** Output bytes per input byte. */
  readonly ratioMax: number
}

/** Splits the text of whole records, quotes included, into their fields; throws when the quotes do not match. */
export type QuotedSplitter = (records: string, delimiter: string) => string[][]

/** Bytes that come once, from front to back. */
export interface ByteStream {
  /** Some bytes into `target`, as soon as there are any; 0 at the end. */
  read(target: Uint8Array): Promise<number>
  /** Ends a `read` that waits: it never settles. */
  close(): void
}

export interface FileClients {
  /** From the first byte. TM1719 while somebody has it, and when more of it was read than is kept for a header line. */
  standardInput(): ByteStream
  gunzip(limits: ExpansionLimits): Decompressor
  /** Rejects with TM1707 when the parser is not installed. */
  loadQuotedSplitter(): Promise<QuotedSplitter>
}

let installed: FileClients | undefined

/** Called by entry points, once per thread. */
export function installFileClients(clients: FileClients): void {
  installed = clients
}

/** TM1707 on a host that installed none. */
export function fileClients(what: string): FileClients {
  if (installed === undefined) {
    throw new TidemillError(connectorErrors.clientMissing, {
      message: `${what} is not available on this host`,
    })
  }
  return installed
}
