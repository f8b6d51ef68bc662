/**
 * Where the events of a run come from.
 *
 * S1: frames in memory (`frames.ts`). S2: the JSON lines file of the data set, read with its schema. S4: a topic of the
 * embedded event log, filled before and thrown away after; records are frames of the event schema.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonLines, logSink, logSource, memoryFrames, pipeline, type Source } from 'tidemill'
import type { Dataset } from './dataset.ts'
import { loadFrames } from './frames.ts'
import { writeJsonLines } from './jsonl.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'

export const profiles = ['S1', 'S2', 'S4'] as const
export type Profile = (typeof profiles)[number]

export interface OpenProfile {
  /** A source that reads everything once and ends. */
  source(): Source<EventRow>
  close(): void
}

export async function openProfile(profile: Profile, dataset: Dataset): Promise<OpenProfile> {
  switch (profile) {
    case 'S1': {
      const frames = loadFrames(dataset)
      return {
        source: () => memoryFrames<EventRow>(frames, { schema: nexmarkEvent }),
        close: () => {},
      }
    }
    case 'S2': {
      const files = writeJsonLines(dataset).map(({ path }) => path)
      return { source: () => jsonLines(files, nexmarkEvent), close: () => {} }
    }
    case 'S4': {
      const directory = mkdtempSync(join(tmpdir(), 'tidemill-nexmark-log-'))
      await fillTopic(dataset, directory)
      const topic = {
        directory: join(directory, 'log'),
        topic: 'events',
        value: nexmarkEvent,
      } as const
      return {
        source: () => logSource<EventRow>({ ...topic, until: 'end' }),
        close: () => rmSync(directory, { recursive: true, force: true }),
      }
    }
  }
}

async function fillTopic(dataset: Dataset, directory: string): Promise<void> {
  const app = pipeline('nexmark-fill')
  app.from('events', memoryFrames<EventRow>(loadFrames(dataset), { schema: nexmarkEvent })).to(
    'log',
    logSink<EventRow>({
      directory: join(directory, 'log'),
      topic: 'events',
      value: nexmarkEvent,
      partitions: 1,
    }),
  )
  await app.run({ state: join(directory, 'state') })
}
