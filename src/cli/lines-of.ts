/** Lines of a byte stream, in the pieces in which they arrive. */
import type { Readable } from 'node:stream'
import { TidemillError } from '../base/errors.ts'
import { logErrors } from '../log/errors.ts'

/** A line without end would otherwise fill the memory. */
const lineBytesMax = 16 * 2 ** 20

/**
 * Lists of complete lines, without LF or CRLF; the last line may lack its end. TM1219 for bytes that are not UTF-8.
 * Ends without error when the stream is destroyed.
 */
export async function* readLines(input: Readable): AsyncGenerator<readonly string[]> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const end = bytes.lastIndexOf(0x0a) + 1
      rest = Buffer.from(bytes.subarray(end))
      if (rest.length > lineBytesMax) {
        throw new TidemillError(logErrors.textInvalid, {
          message: `it is longer than ${lineBytesMax} bytes`,
        })
      }
      if (end > 0) yield* decodeLines(bytes.subarray(0, end - 1))
    }
  } catch (error) {
    const stopped =
      error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
    if (!stopped) throw error
  }
  if (rest.length > 0 && (!input.destroyed || input.readableEnded)) yield* decodeLines(rest)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** All at once, which is faster; what comes before bytes that are not UTF-8 line by line. */
function* decodeLines(bytes: Buffer): Generator<readonly string[]> {
  const text = decoded(bytes)
  if (text !== undefined) return yield text.split('\n').map(withoutReturn)
  for (let start = 0; ; ) {
    const end = bytes.indexOf(0x0a, start)
    const line = decoded(bytes.subarray(start, end < 0 ? undefined : end))
    if (line === undefined)
      throw new TidemillError(logErrors.textInvalid, { message: 'it is not UTF-8' })
    yield [withoutReturn(line)]
    start = end + 1
  }
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
