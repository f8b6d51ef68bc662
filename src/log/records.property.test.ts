/** Laws of the record layout and of the log as a whole, against arrays. */
import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { createWorld } from '../testing/world/world.ts'
import { openLog } from './log.ts'
import { decodeRecords, type LogRecord, readRecords, recordsBatch } from './records.ts'
import type { LogWriter } from './writer.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const record: fc.Arbitrary<LogRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestamp: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
  headers: fc.array(
    fc.record({ name: fc.string({ unit: 'grapheme', maxLength: 9 }), value: bytes }),
    { maxLength: 3 },
  ),
})

describe('the record layout', () => {
  test.prop([fc.array(record, { minLength: 1, maxLength: 40 }), fc.nat()])(
    'gives back what it was given',
    (records, base) => {
      const batch = recordsBatch(records)
      const decoded = decodeRecords(batch.payload, batch.recordCount, base, batch.minTimestamp!)
      expect(decoded).toEqual(records.map((one, i) => ({ ...one, offset: base + i })))
    },
  )

  test.prop([fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 9 })])(
    'refuses other bytes with TM1217',
    (payload, count) => {
      try {
        decodeRecords(payload, count, 0, 0)
      } catch (error) {
        expect(isTidemillError(error) && error.code).toBe('TM1217')
      }
    },
  )
})

type Filling = Extract<Step, { counts: readonly number[] }>

type Step =
  | { readonly kind: 'append'; readonly counts: readonly number[] }
  | { readonly kind: 'transaction'; readonly counts: readonly number[]; readonly commit: boolean }
  | { readonly kind: 'roll' | 'reopen' | 'crash' | 'power' }

const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), counts }),
  fc.record({ kind: fc.constant('transaction' as const), counts, commit: fc.boolean() }),
  fc.constantFrom(
    { kind: 'roll' as const },
    { kind: 'reopen' as const },
    { kind: 'crash' as const },
    { kind: 'power' as const },
  ),
)

describe('the log', () => {
  test.prop([fc.array(step, { minLength: 1, maxLength: 14 }), fc.nat({ max: 1e6 })], {
    numRuns: 60,
  })(
    'is an array of what was appended, whatever happens between the appends',
    async (steps, seed) => {
      const world = createWorld({ seed })
      /** Every offset: a number for a visible record, undefined for markers and aborted records. */
      const model: (number | undefined)[] = []
      let next = 0
      let epoch = 0
      const remaining = [...steps]
      while (remaining.length > 0) {
        const end = await world.run(async (env) => {
          const log = openLog({ env, directory: '/log' })
          await log.ensureTopic('t', { segmentBytes: 4096 })
          const writer = await log.openWriter('t', 0)
          expect(writer.nextOffset).toBe(model.length)
          while (remaining.length > 0) {
            const one = remaining.shift()!
            if (one.kind === 'append' || one.kind === 'transaction') await apply(writer, one)
            else if (one.kind === 'roll') await writer.roll()
            else if (one.kind === 'reopen') break
            else return one.kind
          }
          const reader = await log.openReader('t', 0, { chunkBytes: 4096 })
          const found: (number | undefined)[] = []
          for (
            let batches = await reader.read();
            batches !== undefined;
            batches = await reader.read()
          ) {
            for (const batch of batches)
              for (const { offset, timestamp } of readRecords(batch)) found[offset] = timestamp
          }
          expect(reader.position).toBe(model.length)
          expect([...found]).toEqual(trimmed(model))
          await log.close()
          return 'reopen'
        })
        if (end.kind !== 'done') throw end.kind === 'failed' ? end.error : new Error(end.kind)
        if (end.value === 'power') world.crash('power')
      }

      async function apply(writer: LogWriter, one: Filling): Promise<void> {
        const transaction = one.kind === 'transaction' ? writer.begin(1, ++epoch) : undefined
        const commit = one.kind === 'append' || one.commit
        const appended = one.counts.map(async (count) => {
          const ids = Array.from({ length: count }, () => next++)
          const records = ids.map((id) => ({ key: null, value: null, timestamp: id }))
          const { baseOffset } = await writer.append(recordsBatch(records, transaction))
          expect(baseOffset).toBe(model.length)
          for (const id of ids) model.push(commit ? id : undefined)
        })
        await Promise.all(appended)
        if (transaction === undefined) return
        if (commit) await writer.commit(1, epoch)
        else await writer.abort(1, epoch)
        model.push(undefined)
      }
    },
  )
})

function trimmed(model: readonly (number | undefined)[]): (number | undefined)[] {
  let length = model.length
  while (length > 0 && model[length - 1] === undefined) length--
  return model.slice(0, length)
}
