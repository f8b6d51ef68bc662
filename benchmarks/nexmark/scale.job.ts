/**
 * A query on partitioned input, for `nexmark scale`: each thread writes what its sink has summed up, and what it has used
 * after its share of the warm-up, to a file of its own.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import {
  jsonLines,
  logSource,
  param,
  pipeline,
  type Sink,
  type Source,
  type Stream,
} from 'tidemill'
import { Warmup } from './peer-input.ts'
import { countedSource } from './peer-source.ts'
import { type EngineQuery, queries } from './queries.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'
import { epochSink, summing } from './sinks.ts'

export interface ThreadTotals {
  readonly rows: number
  readonly checksum: number
  readonly events: number
  /** Undefined for a thread that reads nothing. */
  readonly warm: ThreadInstant | undefined
  readonly end: ThreadInstant
}

interface ThreadInstant {
  /** Epoch milliseconds, with fractions. */
  readonly atMs: number
  /** Time on a processor of this thread alone; NaN where the kernel does not tell. */
  readonly threadMs: number
  /** Of the whole process. */
  readonly processMs: number
}

class ThreadWarmup extends Warmup {
  warm: ThreadInstant | undefined

  override see(events: number): void {
    super.see(events)
    if (this.over !== undefined) this.warm ??= now()
  }
}

function now(): ThreadInstant {
  const { user, system } = process.cpuUsage()
  return {
    atMs: performance.timeOrigin + performance.now(),
    threadMs: threadMs(),
    processMs: (user + system) / 1000,
  }
}

function threadMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6
  } catch {
    return Number.NaN
  }
}

// `as`: the command gives one of them, and rows of any query are plain objects.
const query = param('query') as EngineQuery
const build = queries[query] as (events: Stream<EventRow>) => Stream<object>
const input = param('input')
const warmup = new ThreadWarmup(Number(param('warmup')))

const source: Source<EventRow> =
  param('format') === 'log'
    ? logSource({ directory: input, topic: 'events', value: nexmarkEvent, until: 'end' })
    : jsonLines(input.split(','), nexmarkEvent)

const app = pipeline(`nexmark-${query}`)
build(app.from('events', countedSource(source, warmup))).to('totals', totals(param('output')))
await app.run()

function totals(folder: string): Sink<object> {
  const sum = summing(query)
  const inner = epochSink('totals', sum) as unknown as Sink<object> // rows of the query
  return {
    ...inner,
    open: async (context) => {
      const writer = await inner.open(context)
      writer.close = () => {
        const { rows, value: checksum } = sum
        const { warm, seen: events } = warmup
        const found: ThreadTotals = { rows, checksum, events, warm, end: now() }
        writeFileSync(join(folder, `${threadId}.json`), JSON.stringify(found))
        return Promise.resolve()
      }
      return writer
    },
  }
}
