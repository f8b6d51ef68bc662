/**
 * Bar 9: a whole job from a file of JSON lines with a declared schema to a result, with checkpoints, against the loop
 * that one would write by hand. Beside it what a line costs: the source alone, against `JSON.parse` of every line.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonLines, pipeline, type Stream } from 'tidemill'
import { createNodeEnv } from '../../src/platform/node.ts'
import { type Dataset, datasets } from '../nexmark/dataset.ts'
import { writeJsonLines } from '../nexmark/jsonl.ts'
import { queries } from '../nexmark/queries.ts'
import type { HotAuction } from '../nexmark/results.ts'
import { type EventRow, nexmarkEvent } from '../nexmark/schema.ts'
import { countedSource } from '../nexmark/peer-source.ts'
import { epochSink, summing } from '../nexmark/sinks.ts'
import { type Bar, bar, race } from './bar.ts'
import { byHands } from './log-query.ts'
import { steadily, type Timed } from './steady.ts'

const dataset: Dataset = datasets.D3

export async function jsonLinesBars(): Promise<Bar[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-micro-'))
  try {
    const path = writeJsonLines(dataset)[0]?.path ?? ''
    const build = queries.q5 as (events: Stream<EventRow>) => Stream<HotAuction, 'event-time'>
    const engine = (): Promise<Timed> =>
      steadily(dataset.events, async (warmup) => {
        const sum = summing('q5')
        const app = pipeline('micro-q5')
        const events = app.from('events', countedSource(jsonLines(path, nexmarkEvent), warmup))
        build(events).to('checksum', epochSink('checksum', sum))
        await app.run({ state: mkdtempSync(join(folder, 'state-')) })
        return sum.value
      })
    await using hands = byHands(path)
    const hand = (): Promise<number> => hands.run('loop')
    const expected = await hand()
    if ((await engine()).value !== expected) throw new Error('bar 9: two ways give two results')
    const few = ['auction', 'dateTime']
    const [engineMs = 0, handMs = 0, parseMs = 0, allMs = 0, fewMs = 0] = await race(
      [
        engine,
        hand,
        () => hands.run('parse'),
        () => readSource(path, undefined),
        () => readSource(path, few),
      ],
      5,
      1,
    )
    return [
      bar('9 JSON lines to q5: loop / engine', handMs / engineMs, '>=', 2),
      bar('9 read lines: JSON.parse / source, all fields', parseMs / allMs, '>=', 1.5),
      bar('9 read lines: JSON.parse / source, two fields', parseMs / fewMs, '>=', 2.5),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const env = createNodeEnv({ logLevel: 'error' })

/** Reads a file to its end and does nothing with it. */
async function readSource(path: string, fields: readonly string[] | undefined): Promise<number> {
  const source = jsonLines(path, nexmarkEvent)
  const handle = await source.open({ env, name: 'lines', fields, mode: 'stream' })
  let rows = 0
  for (const partition of await handle.partitions()) {
    const reader = await handle.reader(partition, undefined)
    for (;;) {
      const batch = reader.poll?.() ?? (await reader.read())
      if (batch === 'end') break
      if (batch === 'idle') continue
      if (batch.kind === 'rows') throw new Error('frames were expected')
      rows += batch.frame.length
    }
  }
  await handle.close()
  return rows
}
