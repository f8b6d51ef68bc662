/**
 * Standard input of this process behind {@link ByteStream}. A stream and not reads of the descriptor: a read that waits for a
 * silent producer would keep its thread from ending.
 */
import { createReadStream, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'
import { TidemillError } from '../../../base/errors.ts'
import { connectorErrors } from '../../errors.ts'
import type { ByteStream } from '../clients.ts'

/** Who reads a header line first begins again behind it: so much is kept, twice the default limit of a record. */
const keptBytesMax = 1 << 21

interface Input {
  readonly stream: Readable & { ref?(): void; unref?(): void }
  /** Everything read so far, while it is little. */
  kept: Uint8Array[] | undefined
  keptBytes: number
  open: boolean
  failed: Error | undefined
  ended: boolean
}

let input: Input | undefined
let lost = false

/** For a thread of a later life: an earlier one has read some of it. */
export function loseStandardInput(): void {
  lost = true
}

export function standardInput(): ByteStream {
  if (lost) throw taken()
  input ??= openInput()
  const from = input
  if (from.open || from.kept === undefined) throw taken()
  from.open = true
  const again = [...from.kept]
  let rest: Uint8Array = new Uint8Array(0)
  return {
    async read(target) {
      if (rest.length === 0) rest = again.shift() ?? (await nextPiece(from))
      const count = Math.min(rest.length, target.length)
      target.set(rest.subarray(0, count))
      rest = rest.subarray(count)
      return count
    },
    close() {
      from.open = false
      from.stream.unref?.()
      if (from.kept === undefined) from.stream.destroy()
    },
  }
}

function openInput(): Input {
  const stream = openDescriptor()
  const opened: Input = {
    stream,
    kept: [],
    keptBytes: 0,
    open: false,
    failed: undefined,
    ended: false,
  }
  stream.on('end', () => (opened.ended = true))
  stream.on('error', (error) => (opened.failed = error))
  return opened
}

/** Pipes and terminals are watched; a file is always ready. */
function openDescriptor(): Input['stream'] {
  if (isatty(0)) return new ReadStream(0)
  const stat = fstatSync(0)
  if (stat.isFIFO() || stat.isSocket())
    return new Socket({ fd: 0, readable: true, writable: false })
  return createReadStream('', { fd: 0, autoClose: false })
}

/** Empty at the end. */
async function nextPiece(from: Input): Promise<Uint8Array> {
  const { stream } = from
  for (;;) {
    if (from.failed !== undefined) throw unreadable(from.failed)
    const piece = stream.read() as Uint8Array | null
    if (piece !== null) {
      keep(from, piece)
      return piece
    }
    if (from.ended) return new Uint8Array(0)
    stream.ref?.()
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        for (const name of wakers) stream.off(name, wake)
        resolve()
      }
      for (const name of wakers) stream.on(name, wake)
    })
    stream.unref?.()
  }
}

const wakers = ['readable', 'end', 'error', 'close'] as const

function keep(from: Input, piece: Uint8Array): void {
  if (from.kept === undefined) return
  from.keptBytes += piece.length
  if (from.keptBytes > keptBytesMax) from.kept = undefined
  else from.kept.push(piece)
}

function taken(): TidemillError {
  return new TidemillError(connectorErrors.standardInputTaken)
}

function unreadable(cause: Error): TidemillError {
  return new TidemillError(connectorErrors.fileUnreadable, {
    message: `standard input: ${cause.message}`,
    details: { file: '-' },
    cause,
  })
}
