import fc from 'fast-check'
import type { Accumulators } from '../exchange/partial-row.ts'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { inFlightBlock, readInFlight } from '../checkpoint/in-flight.ts'
import type { RowBatch } from '../exchange/contract.ts'
import { anyKey, anyRow, exchange, rowsOf } from '../exchange/rows.test-support.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Key } from '../schema/types.ts'
import { receivedMessage, rowsLeft, storedMessage } from './rows-in-flight.ts'
import type { ExchangeEdge } from './stages.ts'

const edge: ExchangeEdge = {
  id: 3,
  kind: 'hash',
  node: 1,
  input: { node: 0, output: 'out' },
  from: 0,
  to: 1,
  owners: 2,
}

/** Through a snapshot and back, without the first rows. */
function throughSnapshot(rows: RowBatch, from: number): RowBatch {
  const input = { edge, from: 1, fields: undefined }
  const { holder, block } = inFlightBlock(storedMessage(input, { kind: 'rows', rows, from }))
  expect(holder).toBe('exchange 3')
  const message = receivedMessage(readInFlight(block.bytes))
  if (message.kind !== 'rows') throw new Error(`rows became ${message.kind}`)
  return message.rows
}

test('rows in flight come back as they were sent, from any row on', () => {
  const sent = fc.tuple(anyKey, anyRow, fc.double(), fc.double())
  fc.assert(
    fc.property(
      fc.array(sent, { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      fc.nat(30),
      (rows, keyed, skipped) => {
        const { writer, channel } = exchange({ keyed })
        for (const [key, row, time, mark] of rows)
          if (keyed) writer.send(key as Key, row, time, mark)
          else writer.sendTo(0, row, time, mark)
        writer.flush()
        for (const batch of channel.batches()) {
          const from = skipped % (batch.length + 1)
          const back = throughSnapshot(batch, from)
          expect(rowsLeft({ kind: 'rows', rows: batch, from })).toBe(back.length)
          expect([back.length, back.partial]).toEqual([batch.length - from, false])
          const wanted = rowsOf([batch]).slice(from)
          rowsOf([back]).forEach((row, i) => {
            if (!isDeepStrictEqual(row, wanted[i])) expect(row).toStrictEqual(wanted[i])
            expect(dynamic.encode(row)).toEqual(dynamic.encode(wanted[i]))
          })
          expect(Array.from(back.keys)).toStrictEqual(Array.from(batch.keys).slice(from))
          for (const column of ['times', 'marks'] as const)
            expect(Array.from(back[column])).toStrictEqual(Array.from(batch[column]).slice(from))
          const hashes = batch.hashes?.subarray(from)
          if (back.length > 0) expect(back.hashes).toEqual(hashes)
        }
      },
    ),
  )
})

test('what rows stand for is counted, and what only tells of time comes back', () => {
  const { writer, channel } = exchange({ partial: { numbers: 1, objects: [] } })
  for (const [key, rows] of [
    ['a', 5],
    ['b', 7],
    ['c', 1],
  ] as const)
    writer.sendPartial(key, rows, accumulators(rows * 10), 0, 1_000, 900)
  writer.flush()
  const [batch] = channel.batches()
  if (batch === undefined) throw new Error('no partials came')
  expect(rowsLeft({ kind: 'rows', rows: batch, from: 0 })).toBe(13)
  expect(rowsLeft({ kind: 'rows', rows: batch, from: 1 })).toBe(8)
  const back = throughSnapshot(batch, 1)
  expect([back.partial, Array.from(back.keys)]).toEqual([true, ['b', 'c']])
  expect(back.rows?.map((row) => (row as { readonly n: number }).n)).toEqual([7, 1])
  const input = { edge, from: 0, fields: ['a'] }
  for (const message of [
    { kind: 'watermark', watermark: 5 },
    { kind: 'idle' },
    { kind: 'end' },
  ] as const) {
    const { bytes } = inFlightBlock(storedMessage(input, message)).block
    expect(receivedMessage(readInFlight(bytes))).toEqual(message)
  }
})

/** Of one slot with one number. */
function accumulators(number: number): Accumulators {
  return { words: Float64Array.of(number), objects: [], kernel: { stride: 1, objects: 0 } }
}
