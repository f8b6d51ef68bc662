/** Rows through a channel and back, and rows of all kinds. */
import fc from 'fast-check'
import type { MessageWriter, RowBatch } from './contract.ts'
import type { Message } from './contract.ts'
import { MessageDecoder } from './decode.ts'
import { type ExchangeOptions, ExchangeWriter } from './exchange-writer.ts'

/** A channel without end, with the messages in it. */
export class Channel implements MessageWriter {
  readonly size = 1 << 20
  readonly fill = 0
  readonly messages: Uint8Array<ArrayBuffer>[] = []
  private readonly decoder = new MessageDecoder()

  write(message: Uint8Array): boolean {
    this.messages.push(new Uint8Array(message))
    return true
  }

  /** Takes everything out. */
  take(): Message[] {
    return this.messages.splice(0).map((message) => this.decoder.decode(message))
  }

  batches(): RowBatch[] {
    return this.take().flatMap((message) => (message.kind === 'rows' ? [message.rows] : []))
  }
}

export function exchange(options: Partial<ExchangeOptions> = {}): {
  readonly writer: ExchangeWriter
  readonly channel: Channel
} {
  const channel = new Channel()
  const writer = new ExchangeWriter({
    fields: undefined,
    maxParallelism: 128,
    targets: [channel],
    keyed: true,
    where: 'by user',
    ...options,
  })
  return { writer, channel }
}

/** Row `i` as plain data. */
export function rowOf(batch: RowBatch, i: number): unknown {
  return batch.frame === undefined ? batch.rows![i] : batch.frame.row(i)
}

export function rowsOf(batches: readonly RowBatch[]): unknown[] {
  return batches.flatMap((batch) => Array.from({ length: batch.length }, (_, i) => rowOf(batch, i)))
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\ud800', '\udc00', 'a\udfff', '😀', '\u0000'),
)

const scalar = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(-0, 0, 1e300, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 31)),
  text,
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.bigInt(),
  fc.uint8Array(),
)

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    fc.array(tie('any'), { maxLength: 3 }),
    record(tie('any'), 3),
    fc.array(fc.tuple(text, tie('any')), { maxLength: 2 }).map((pairs) => new Map(pairs)),
    fc.array(text, { maxLength: 2 }).map((items) => new Set(items)),
  ),
})).any

/** Plain data, with the field names that break naive code. */
export const anyRow: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: record(scalar, 4) },
  { weight: 3, arbitrary: record(fc.oneof(scalar, record(scalar, 3)), 3) },
  { weight: 2, arbitrary: record(value, 3) },
  { weight: 1, arbitrary: value },
)

function record(of: fc.Arbitrary<unknown>, maxLength: number): fc.Arbitrary<unknown> {
  const name = fc.constantFrom(
    'a',
    'b',
    'c',
    '7',
    '',
    '__proto__',
    'constructor',
    'toJSON',
    '\ud800',
    'é',
  )
  return fc
    .uniqueArray(fc.tuple(name, of), { maxLength, selector: ([key]) => key })
    .map((entries) => {
      const made = {}
      for (const [key, one] of entries) {
        Object.defineProperty(made, key, {
          value: one,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      }
      return made
    })
}

export const anyKey = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: 0, max: 9 }),
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.bigInt(),
  fc.tuple(fc.string(), fc.integer()),
)
