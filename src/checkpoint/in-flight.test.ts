import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { dynamic } from '../schema/dynamic.ts'
import { createWorld } from '../testing/world/world.ts'
import { sampleIdentity, sampleManifest } from '../../test/golden/snapshot/sample.ts'
import { createBufferPool } from './buffer-pool.ts'
import { createDataObjectWriter } from './data-writer.ts'
import { directoryStorage } from './directory-storage.ts'
import {
  type InFlight,
  type InFlightRows,
  inFlightBlock,
  inFlightSection,
  readInFlight,
} from './in-flight.ts'
import { inspectSnapshot } from './inspect.ts'
import { encodeManifest } from './manifest.ts'
import { manifestName } from './names.ts'

const rows: InFlightRows = {
  kind: 'rows',
  exchange: 3,
  from: 1,
  partial: false,
  count: 3,
  fields: ['n', 'text'],
  keys: ['ä', 7n, ['a', 1]],
  times: [5, Number.NaN, -1],
  marks: [Number.NEGATIVE_INFINITY, 4, 4],
  rows: [{ n: -0, text: 'x' }, undefined, [Number.NaN, null, { deep: new Uint8Array([1, 2]) }]],
}
const channel: readonly InFlight[] = [
  rows,
  { kind: 'watermark', exchange: 3, from: 1, watermark: 9 },
  { kind: 'idle', exchange: 3, from: 1 },
  { kind: 'end', exchange: 3, from: 1 },
]

describe('a block of rows in flight', () => {
  it('is read as it was written', () => {
    const whole: InFlight = { ...rows, fields: undefined }
    for (const one of [...channel, whole])
      expect(readInFlight(inFlightBlock(one).block.bytes)).toEqual(one)
  })

  it('stays readable: bytes that were written once', async () => {
    const file = new URL('../../test/golden/snapshot/v1/rows-in-flight.block', import.meta.url)
    const golden = new Uint8Array(await readFile(file))
    expect(readInFlight(golden)).toEqual(rows)
    expect(inFlightBlock(rows).block.bytes).toEqual(golden)
  })

  it('is refused when its form is newer', () => {
    const newer = dynamic.encode({ ...rows, version: 2 })
    expect(() => readInFlight(newer)).toThrow(/form 2/)
  })
})

describe('a snapshot with rows in flight', () => {
  it('is told by channel, apart from the state of steps', async () => {
    const world = createWorld({ seed: 1 })
    const end = await world.run(async (env) => {
      const storage = await directoryStorage(env, '/state/checkpoints')
      const pool = createBufferPool()
      const writer = await createDataObjectWriter({
        host: env.host,
        storage,
        identity: sampleIdentity,
        pool,
      })
      const state = { section: 'values', keyGroup: 3, bytes: new Uint8Array(10) }
      writer.append('totals', state)
      const partial: InFlight = { ...rows, from: 0, partial: true, count: 500 }
      for (const one of [...channel, rows, partial]) {
        const { holder, block } = inFlightBlock(one)
        writer.append(holder, block)
      }
      const manifest = sampleManifest(await writer.finish())
      await storage.publish(manifestName(manifest), encodeManifest(manifest))
      return inspectSnapshot(env, '/state')
    })
    if (end.kind !== 'done') throw new Error(`the process ${end.kind}`)
    const { inFlight, operators } = end.value
    const sizeBytes = expect.any(Number) as number
    expect(inFlight).toEqual([
      { exchange: 3, from: 0, to: 0, rows: 500, sizeBytes },
      { exchange: 3, from: 1, to: 0, rows: 6, sizeBytes },
    ])
    expect(operators.map(({ operator }) => operator)).toEqual(['totals'])
    expect(
      operators.flatMap(({ sections }) => sections.map(({ section }) => section)),
    ).not.toContain(inFlightSection)
  })
})
