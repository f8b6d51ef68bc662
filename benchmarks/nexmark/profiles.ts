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

/** With several partitions, frames (S1, S4) are dealt to them in turn; each stays in order. S2 has one file. */
export async function openProfile(
  profile: Profile,
  dataset: Dataset,
  partitions: number = 1,
): Promise<OpenProfile> {
  switch (profile) {
    case 'S1': {
      const frames = loadFrames(dataset)
      return {
        source: () => memoryFrames<EventRow>(dealt(frames, partitions), { schema: nexmarkEvent }),
        close: () => {},
      }
    }
    case 'S2': {
      const files = writeJsonLines(dataset).map(({ path }) => path)
      return { source: () => jsonLines(files, nexmarkEvent), close: () => {} }
    }
    case 'S4': {
      const directory = mkdtempSync(join(tmpdir(), 'tidemill-nexmark-log-'))
      await fillTopic(dataset, directory, partitions)
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

/** One list, or lists of every n-th item. */
function dealt<Item>(items: readonly Item[], partitions: number): Item[] | Item[][] {
  if (partitions === 1) return [...items]
  return Array.from({ length: partitions }, (_, part) =>
    items.filter((_item, index) => index % partitions === part),
  )
}

/** Writes the data set to the topic `events` of `<directory>/log`, batches in turn to its partitions. */
export async function fillTopic(
  dataset: Dataset,
  directory: string,
  partitions: number,
): Promise<void> {
  const app = pipeline('nexmark-fill')
  app.from('events', memoryFrames<EventRow>(loadFrames(dataset), { schema: nexmarkEvent })).to(
    'log',
    logSink<EventRow>({
      directory: join(directory, 'log'),
      topic: 'events',
      value: nexmarkEvent,
      partitions,
    }),
  )
  await app.run({ state: join(directory, 'state') })
}
