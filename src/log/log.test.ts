/** What the log does when nothing goes wrong, and how it refuses what is wrong. On the real disk of the machine. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Disk, DiskFile } from '../base/env.ts'
import { createNodeEnv } from '../platform/node.ts'
import { isTidemillError } from '../base/errors.ts'
import { type EventLog, openLog } from './log.ts'
import { marksFile } from './marks.ts'
import { type LogRecord, readRecords, recordsBatch } from './records.ts'
import type { LogReader } from './reader.ts'
import { producerIdOf } from './transactions.ts'
import type { TransactionId } from './types.ts'

const env = createNodeEnv({ logLevel: 'error' })
const encoder = new TextEncoder()
const decoder = new TextDecoder()
let directory: string
let log: EventLog

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemill-log-'))
  log = openLog({ env, directory })
})

afterEach(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

function record(value: string | null, key: string | null = null, timestamp: number = 1): LogRecord {
  return {
    key: key === null ? null : encoder.encode(key),
    value: value === null ? null : encoder.encode(value),
    timestamp,
  }
}

const one = (value: string, transaction?: TransactionId) =>
  recordsBatch([record(value)], transaction)

async function drain(reader: LogReader): Promise<string[]> {
  const values: string[] = []
  for (let batches = await reader.read(); batches !== undefined; batches = await reader.read()) {
    for (const batch of batches) {
      for (const { value } of readRecords(batch))
        values.push(value === null ? '-' : decoder.decode(value))
    }
  }
  return values
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (isTidemillError(error)) return error.code
    throw error
  }
  return 'no error'
}

describe('topics', () => {
  test('keep their options and are listed in order', async () => {
    await log.createTopic('b', {
      partitions: 3,
      durability: 'process',
      retention: { ageMs: 5, bytes: 9 },
    })
    await log.createTopic('a')
    const again = openLog({ env, directory })
    expect(await again.topics()).toEqual(['a', 'b'])
    expect(await again.topic('b')).toMatchObject({
      partitions: 3,
      durability: 'process',
      retention: { ageMs: 5, bytes: 9 },
    })
    expect((await again.topic('a')).id).not.toBe((await again.topic('b')).id)
  })

  test('refuse wrong names, options, partitions and a second creation', async () => {
    await log.createTopic('a')
    expect(await codeOf(log.createTopic('a'))).toBe('TM1201')
    expect((await log.ensureTopic('a', { partitions: 9 })).partitions).toBe(1)
    for (const name of ['', '.a', 'a/b', 'ä', 'x'.repeat(121)])
      expect(await codeOf(log.createTopic(name))).toBe('TM1202')
    expect(await codeOf(log.createTopic('c', { partitions: 0 }))).toBe('TM1202')
    expect(await codeOf(log.createTopic('c', { segmentBytes: 10 }))).toBe('TM1202')
    expect(await codeOf(log.createTopic('c', { retention: { ageMs: 1.5 } }))).toBe('TM1202')
    expect(await codeOf(log.openWriter('nothing', 0))).toBe('TM1200')
    expect(await codeOf(log.openReader('../a', 0))).toBe('TM1200')
    expect(await codeOf(log.openWriter('a', 1))).toBe('TM1202')
  })
})

describe('append and read', () => {
  test('keep keys, values, headers, timestamps and frames', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0)
    const headers = [
      { name: 'trace', value: Uint8Array.of(1, 2) },
      { name: '', value: new Uint8Array(0) },
    ]
    const records = [
      { ...record('v', 'k', -5), headers },
      record(null, 'gone', 2 ** 52),
      record('', '', 0),
    ]
    expect(await writer.append(recordsBatch(records))).toEqual({ baseOffset: 0 })
    const payload = Uint8Array.of(9, 8, 7)
    const frame = {
      kind: 'frame',
      payload,
      recordCount: 5,
      minTimestamp: 1,
      maxTimestamp: 9,
      schemaFingerprint: 2n ** 63n,
    } as const
    expect(await writer.append(frame)).toEqual({ baseOffset: 3 })
    const reader = await log.openReader('t', 0)
    const [first, second] = (await reader.read())!
    expect(readRecords(first!)).toMatchObject([
      { offset: 0, timestamp: -5, headers },
      { offset: 1, timestamp: 2 ** 52, value: null, headers: [] },
      { offset: 2, timestamp: 0, key: new Uint8Array(0), value: new Uint8Array(0) },
    ])
    expect(second).toMatchObject({
      kind: 'frame',
      baseOffset: 3,
      nextOffset: 8,
      recordCount: 5,
      minTimestamp: 1,
      maxTimestamp: 9,
      schemaFingerprint: 2n ** 63n,
      generation: 1,
    })
    expect([...second!.payload]).toEqual([9, 8, 7])
    expect(second!.appendTime).toBeGreaterThanOrEqual(first!.appendTime)
    expect(await reader.read()).toBeUndefined()
    expect(reader.position).toBe(8)
    expect(await reader.lag()).toBe(0)
  })

  test('copy the payload, so that callers may reuse their buffer at once', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0)
    const payload = Uint8Array.of(1)
    const appended = [1, 2, 3].map((n) => {
      payload[0] = n
      return writer.append({ kind: 'frame', payload, recordCount: 1 })
    })
    expect((await Promise.all(appended)).map((a) => a.baseOffset)).toEqual([0, 1, 2])
    const reader = await log.openReader('t', 0)
    expect((await reader.read())!.map((batch) => batch.payload[0])).toEqual([1, 2, 3])
  })

  test('cross segments, start in the middle of a batch, at the end, and beyond it', async () => {
    await log.createTopic('t', { segmentBytes: 4096 })
    const writer = await log.openWriter('t', 0)
    for (let i = 0; i < 300; i += 3) {
      await writer.append(recordsBatch([record(`${i}`), record(`${i + 1}`), record(`${i + 2}`)]))
    }
    const all = Array.from({ length: 300 }, (_, i) => `${i}`)
    expect((await log.describe('t')).partitionInfo[0]!.segments).toBeGreaterThan(3)
    for (const from of [0, 1, 100, 101, 299, 300]) {
      const reader = await log.openReader('t', 0, { from, chunkBytes: 4096 })
      expect(await drain(reader)).toEqual(all.slice(from))
      await reader.close()
    }
    const latest = await log.openReader('t', 0, { from: 'latest' })
    await writer.append(one('new'))
    expect(await drain(latest)).toEqual(['new'])
    expect(await codeOf(log.openReader('t', 0, { from: 400 }))).toBe('TM1212')
    expect(await codeOf(log.openReader('t', 0, { from: -1 }))).toBe('TM1202')
  })

  test('read batches larger than a chunk and a segment, with reused buffers too', async () => {
    await log.createTopic('t', { segmentBytes: 8192 })
    const writer = await log.openWriter('t', 0)
    // Several of the last ones fit a chunk.
    const small = Array.from({ length: 40 }, (_, i) => 700 + i)
    const sizes = [10, 50_000, 3, 200_000, 1, 9_000, 9_000, 9_000, ...small]
    for (const size of sizes) {
      await writer.append({
        kind: 'frame',
        payload: new Uint8Array(size).fill(size % 251),
        recordCount: 1,
      })
    }
    for (const reuse of [false, true]) {
      const reader = await log.openReader('t', 0, { chunkBytes: 4096, reuse })
      const found: number[] = []
      for (
        let batches = await reader.read();
        batches !== undefined;
        batches = await reader.read()
      ) {
        for (const { payload } of batches) {
          expect(payload.every((byte) => byte === payload.length % 251)).toBe(true)
          found.push(payload.length)
        }
      }
      expect(found).toEqual(sizes)
    }
  })

  test('refuse invalid batches without a trace', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0)
    const frame = { kind: 'frame', payload: new Uint8Array(1), recordCount: 1 } as const
    expect(await codeOf(writer.append({ ...frame, recordCount: 0 }))).toBe('TM1203')
    expect(
      await codeOf(writer.append({ ...frame, payload: new Uint8Array(17 * 1024 * 1024) })),
    ).toBe('TM1203')
    expect(await codeOf(writer.append({ ...frame, minTimestamp: 1 }))).toBe('TM1203')
    expect(await codeOf(writer.append({ ...frame, minTimestamp: 2, maxTimestamp: 1 }))).toBe(
      'TM1203',
    )
    expect(await codeOf(writer.appendMany([frame, { ...frame, recordCount: 1.5 }]))).toBe('TM1203')
    expect(() => recordsBatch([])).toThrow(/at least one/)
    expect(() => recordsBatch([record('a', 'b', 0.5)])).toThrow(/whole number/)
    expect(await writer.append(frame)).toEqual({ baseOffset: 0 })
  })

  test('bound what waits for the disk', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0, { pendingBytesMax: 10_000 })
    const frame = { kind: 'frame', payload: new Uint8Array(4_000), recordCount: 1 } as const
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => writer.append(frame)))
    expect(results.map((result) => result.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ])
    expect(await codeOf(Promise.reject((results[2] as PromiseRejectedResult).reason))).toBe(
      'TM1216',
    )
    expect(await writer.append(frame)).toEqual({ baseOffset: 2 })
  })

  test('follow waits for the next batch and stops with its signal', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0)
    const reader = await log.openReader('t', 0)
    const next = reader.follow()
    await writer.append(one('x'))
    expect(readRecords((await next)[0]!)).toHaveLength(1)
    const stop = new AbortController()
    const waiting = reader.follow({ signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})

describe('owners', () => {
  test('a second writer is refused, also from another handle, and admitted after close', async () => {
    await log.createTopic('t', { partitions: 2 })
    const writer = await log.openWriter('t', 0, { owner: 'first' })
    const other = openLog({ env, directory })
    expect(await codeOf(other.openWriter('t', 0))).toBe('TM1204')
    await (await other.openWriter('t', 1)).close()
    await writer.append(one('a'))
    await writer.close()
    expect(await codeOf(writer.append(one('b')))).toBe('TM1211')
    const next = await other.openWriter('t', 0)
    expect(next.recovery).toMatchObject({
      clean: true,
      generation: 2,
      endOffset: 1,
      cut: undefined,
    })
    expect(await next.append(one('b'))).toEqual({ baseOffset: 1 })
    await other.close()
  })

  test('a checkpoint position beyond the log stops the writer', async () => {
    await log.createTopic('t')
    expect(await codeOf(log.openWriter('t', 0, { durableAtLeast: 1 }))).toBe('TM1207')
    const writer = await log.openWriter('t', 0)
    await writer.append(one('a'))
    await writer.close()
    expect(await codeOf(log.openWriter('t', 0, { durableAtLeast: 2 }))).toBe('TM1207')
    expect((await log.openWriter('t', 0, { durableAtLeast: 1 })).recovery.endOffset).toBe(1)
  })
})

describe('transactions', () => {
  test('are invisible until committed, hold back what follows, and vanish when aborted', async () => {
    await log.createTopic('t')
    const writer = await log.openWriter('t', 0)
    const committed = await log.openReader('t', 0)
    const uncommitted = await log.openReader('t', 0, { isolation: 'uncommitted' })
    const first = writer.begin(7, 1)
    await writer.append(one('before'))
    await writer.append(one('a', first))
    await writer.append(one('after'))
    expect(await drain(committed)).toEqual(['before'])
    expect(await committed.endOffset()).toBe(1)
    await writer.prepare(7, 1)
    expect(writer.outcome(7, 1)).toBe('prepared')
    const second = writer.begin(7, 2)
    await writer.append(one('b', second))
    await writer.commit(7, 1)
    await writer.commit(7, 1)
    expect(await drain(committed)).toEqual(['a', 'after'])
    await writer.abort(7, 2)
    await writer.append(one('end'))
    expect(await drain(committed)).toEqual(['end'])
    expect(await drain(uncommitted)).toEqual(['before', 'a', 'after', 'b', 'end'])
    expect(await committed.lag()).toBe(0)
  })

  test.each([
    ['in one segment', {}],
    ['over segments', { segmentBytes: 4_096 }],
  ])(
    'stay undecided for readers of other processes when the sidecar is lost, %s',
    async (_, options) => {
      await log.createTopic('t', options)
      const writer = await log.openWriter('t', 0)
      const filler = 'f'.repeat(1_500)
      await writer.append(one('before'))
      const id = writer.begin(7, 1)
      await writer.append(one('open', id))
      for (let n = 0; n < 8; n++) await writer.append(one(filler))
      const elsewhere = openLog({ env, directory })
      rmSync(join(directory, 't', '0', marksFile))
      const committed = await elsewhere.openReader('t', 0)
      expect(await drain(committed)).toEqual(['before'])
      expect(await committed.endOffset()).toBe(1)
      await writer.prepare(7, 1)
      await writer.commit(7, 1)
      for (let n = 0; n < 2; n++) await writer.append(one('after'))
      const later = await elsewhere.openReader('t', 0)
      const values = await drain(later)
      expect(values.slice(0, 2)).toEqual(['before', 'open'])
      await elsewhere.close()
    },
  )

  test('that ended before a later segment are told by its header, not by reading ahead', async () => {
    await log.createTopic('t', { segmentBytes: 256 * 1024 })
    const writer = await log.openWriter('t', 0)
    const filler = 'f'.repeat(1_000)
    const expected: string[] = []
    // Transactions of 20 KB; one of two is aborted, and one is open over several segments.
    const long = writer.begin(1, 1)
    await writer.append(one('long', long))
    for (let epoch = 1; epoch <= 60; epoch++) {
      const id = writer.begin(7, epoch)
      for (let n = 0; n < 20; n++) await writer.append(one(`${epoch} ${n} ${filler}`, id))
      if (epoch % 2 === 0) await writer.abort(7, epoch)
      else {
        for (let n = 0; n < 20; n++) expected.push(`${epoch} ${n} ${filler}`)
        await writer.commit(7, epoch)
      }
      if (epoch === 50) await writer.commit(1, 1)
    }
    let bytes = 0
    const disk: Disk = {
      ...env.disk,
      open: async (path, mode) => {
        const file = await env.disk.open(path, mode)
        const { pread } = file
        const counting: DiskFile['pread'] = async (target, position) => {
          const count = await pread.call(file, target, position)
          if (path.endsWith('.log')) bytes += count
          return count
        }
        return Object.assign(file, { pread: counting })
      },
    }
    const counting = openLog({ env: { ...env, disk }, directory })
    const reader = await counting.openReader('t', 0, { chunkBytes: 4_096, reuse: true })
    expect(await drain(reader)).toEqual(['long', ...expected])
    const size = 60 * 20 * 1_100
    // Chunks are read again from where a batch is cut off, which costs a third here; what is read ahead is the last segment.
    expect(bytes).toBeLessThan(1.8 * size)
    await counting.close()
  })

  test('keep their outcome over a restart and refuse steps out of order', async () => {
    await log.createTopic('t')
    let writer = await log.openWriter('t', 0)
    const id = producerIdOf('job/sink')
    writer.begin(id, 5)
    await writer.append(one('x', { producerId: id, epoch: 5 }))
    await writer.prepare(id, 5)
    expect(await codeOf(writer.append(one('y', { producerId: id, epoch: 5 })))).toBe('TM1214')
    await writer.close()
    writer = await log.openWriter('t', 0)
    expect(writer.openTransactions()).toEqual([
      { producerId: id, epoch: 5, prepared: true, firstOffset: 0 },
    ])
    await writer.commit(id, 5)
    await writer.close()
    writer = await log.openWriter('t', 0)
    expect(writer.outcome(id, 5)).toBe('committed')
    await writer.commit(id, 5)
    expect(await codeOf(writer.abort(id, 5))).toBe('TM1214')
    expect(await codeOf(writer.commit(id, 6))).toBe('TM1213')
    expect(() => writer.begin(id, 5)).toThrow(/already decided/)
    expect(await drain(await log.openReader('t', 0))).toEqual(['x'])
  })
})

describe('retention', () => {
  test('removes by size, never what is pinned, and names the missing range', async () => {
    await log.close()
    let pin: number | undefined = 0
    log = openLog({ env, directory, pins: () => pin })
    await log.createTopic('t', { segmentBytes: 4096, retention: { bytes: 10_000 } })
    const writer = await log.openWriter('t', 0)
    const early = await log.openReader('t', 0)
    for (let i = 0; i < 400; i++) await writer.append(one(`${i}`))
    await writer.runRetention()
    expect(writer.startOffset).toBe(0)
    pin = 150
    await writer.runRetention()
    expect(writer.startOffset).toBeGreaterThan(100)
    expect(writer.startOffset).toBeLessThanOrEqual(150)
    pin = undefined
    await writer.runRetention()
    const start = writer.startOffset
    expect(start).toBeGreaterThan(250)
    expect(await codeOf(early.read())).toBe('TM1208')
    await expect(log.openReader('t', 0, { from: 7 })).rejects.toThrow(
      `offsets 7 to ${start - 1} were removed`,
    )
    const skipping = await log.openReader('t', 0, { from: 7, onGap: 'skip' })
    expect((await drain(skipping))[0]).toBe(`${start}`)
    expect(skipping.gaps).toEqual([{ from: 7, to: start }])
    await writer.close()
    expect((await log.verify('t')).problems).toEqual([])
    expect((await log.openWriter('t', 0)).startOffset).toBe(start)
  })

  test('removes by age, the current segment included', async () => {
    await log.createTopic('t', { retention: { ageMs: 20 } })
    const writer = await log.openWriter('t', 0)
    await writer.append(one('old'))
    await env.clock.sleep(50)
    await writer.runRetention()
    await writer.append(one('new'))
    expect(writer.startOffset).toBe(1)
    expect(await drain(await log.openReader('t', 0))).toEqual(['new'])
  })
})

describe('compaction', () => {
  test('keeps the newest record of every key at its offset', async () => {
    await log.createTopic('t', { compaction: true, segmentBytes: 4096, tombstoneMs: 0 })
    const writer = await log.openWriter('t', 0)
    const keyed = (value: string | null, key: string, transaction?: TransactionId) =>
      recordsBatch([record(value, key)], transaction)
    for (let i = 0; i < 200; i++) await writer.append(keyed(`${i}`, `k${i % 10}`))
    await writer.append(keyed(null, 'k3'))
    const bad = writer.begin(1, 1)
    await writer.append(keyed('never', 'k4', bad))
    await writer.abort(1, 1)
    const good = writer.begin(1, 2)
    await writer.append(keyed('good', 'k5', good))
    await writer.commit(1, 2)
    await writer.roll()
    await writer.append(keyed('last', 'z'))
    const reading = await log.openReader('t', 0)
    await reading.read(200)
    await env.clock.sleep(5)
    const report = await writer.runCompaction()
    expect(report.recordsRemoved).toBeGreaterThan(180)
    const expected = ['190', '191', '192', '194', '196', '197', '198', '199', 'good', 'last']
    expect(await drain(await log.openReader('t', 0))).toEqual(expected)
    expect(await drain(await log.openReader('t', 0, { isolation: 'uncommitted' }))).toEqual(
      expected,
    )
    expect((await drain(reading)).slice(-10)).toEqual(expected)
    expect((await writer.runCompaction()).segmentsRewritten).toBe(0)
    await writer.close()
    expect((await log.verify('t')).problems).toEqual([])
    const again = await log.openWriter('t', 0)
    expect(again.outcome(1, 2)).toBe('committed')
    expect(await drain(await log.openReader('t', 0))).toEqual(expected)
  })

  test('takes only keyed records', async () => {
    await log.createTopic('t', { compaction: true })
    const writer = await log.openWriter('t', 0)
    expect(await codeOf(writer.append(one('x')))).toBe('TM1218')
    expect(
      await codeOf(writer.append({ kind: 'frame', payload: new Uint8Array(3), recordCount: 1 })),
    ).toBe('TM1218')
  })
})
