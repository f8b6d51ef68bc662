/**
 * A query on JSON lines, with an exactly-once file sink: what `nexmark chaos` starts and ends. In front of the query
 * stands a user function that lets every row through, slows the job down to leave time for ends, and ends its own thread
 * when it is told to.
 */
import { BroadcastChannel, threadId } from 'node:worker_threads'
import { fileSink, jsonLines, param, pipeline, type Stream } from 'tidemill'
import { type EngineQuery, queries } from './queries.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'

// `as`: the command gives one of them, and rows of any query are plain objects.
const query = param('query') as EngineQuery
const build = queries[query] as (events: Stream<EventRow>) => Stream<object>

/** Rows between two pauses of 1 ms. Not a parameter: it may differ between the lives of a job. */
const pace = Number(process.env['CHAOS_PACE'] ?? Number.POSITIVE_INFINITY)
const pause = new Int32Array(new SharedArrayBuffer(4))
let [seen, told] = [0, '']

const ends = new BroadcastChannel('chaos-ends')
ends.onmessage = ({ data }: MessageEvent) => {
  const { what, thread }: { readonly what: string; readonly thread: number } = data
  if (thread === threadId) told = what
}
ends.unref()

function unharmed(): boolean {
  if (told === 'exit') process.exit(3)
  if (told === 'memory') {
    const kept: object[] = []
    for (;;) kept.push(new Array(100_000).fill(kept.length))
  }
  if (++seen % pace === 0) Atomics.wait(pause, 0, 0, 1)
  return true
}

const app = pipeline(`nexmark-${query}`)
build(app.from('events', jsonLines(param('input').split(','), nexmarkEvent)).filter(unharmed)).to(
  'results',
  fileSink({ directory: param('output') }),
)
await app.run()
