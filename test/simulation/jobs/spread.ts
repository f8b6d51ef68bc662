/** Rows change hands in every way that a model can foretell, while the number of subtasks changes from life to life. */
import { fileSink } from '../../../src/connectors/file-sink/file-sink.ts'
import { lines } from '../../../src/connectors/file/lines.ts'
import { milliseconds, timestamp } from '../../../src/base/time.ts'
import { aggregate, count, sum } from '../../../src/stream/aggregates.ts'
import { int } from '../../../src/schema/scalars.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import { tumbling } from '../../../src/stream/window-assigners.ts'
import type { Violation } from '../../../src/testing/simulate/violation.ts'
import { compareLines, compareTexts, type JobMaker, linesOf, paced } from './support.ts'

interface Call {
  readonly at: number
  readonly cell: number
  readonly seconds: number
}

/** An aggregate that senders may add up, with a schema for its accumulators. */
const sumOfSquares = aggregate<Call, number, number>({
  label: 'sum of squares',
  create: () => 0,
  add: (total, call) => total + call.seconds ** 2,
  merge: (left, right) => left + right,
  result: (total) => total,
  accumulator: int,
  decomposable: true,
})

const disorderMs = 30
const sizeMs = 80

export const spread: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  let clock = 1_000
  const calls: Call[] = Array.from({ length: sizes.records }, () => {
    clock += random.u32() % 25
    return {
      at: clock - (random.u32() % (disorderMs + 1)),
      cell: random.u32() % sizes.keys,
      seconds: random.u32() % 600,
    }
  })
  const windows = new Map<
    string,
    { cell: number; from: number; calls: number; seconds: number; squares: number }
  >()
  for (const { at, cell, seconds } of calls) {
    const from = Math.floor(at / sizeMs) * sizeMs
    const before = windows.get(`${cell} ${from}`) ?? {
      cell,
      from,
      calls: 0,
      seconds: 0,
      squares: 0,
    }
    windows.set(`${cell} ${from}`, {
      ...before,
      calls: before.calls + 1,
      seconds: before.seconds + seconds,
      squares: before.squares + seconds ** 2,
    })
  }
  const running = new Map<number, { cell: number; calls: number; seconds: number }>()
  for (const { cell, seconds } of calls) {
    const before = running.get(cell) ?? { cell, calls: 0, seconds: 0 }
    running.set(cell, { cell, calls: before.calls + 1, seconds: before.seconds + seconds })
  }
  const asLines = (rows: Iterable<unknown>): string[] => [...rows].map((row) => JSON.stringify(row))
  return {
    name: 'spread',
    files: { '/in/calls.jsonl': calls.map((call) => `${JSON.stringify(call)}\n`).join('') },
    outputs: ['totals', 'running', 'long', 'all'].map((sink) => ({
      sink,
      directory: `/out/${sink}`,
      extension: '.jsonl',
    })),
    intervalMs,
    plan() {
      const app = pipelineOn(undefined)('spread')
      const source = lines('/in/calls.jsonl', {
        chunkBytes: sizes.segmentBytes,
        batchRowsMax: sizes.bufferRecords,
      })
      const parsed = app
        .from('calls', paced(source, paceMs))
        .rebalance({ parallelism: 3 })
        .map((line): Call => JSON.parse(line))
      const timed = parsed.withEventTime({
        timestamp: (call) => timestamp(call.at),
        maxOutOfOrderness: milliseconds(disorderMs),
      })
      timed
        .keyBy((call) => call.cell, { parallelism: 2 })
        .window(tumbling(milliseconds(sizeMs)))
        .aggregate('totals', {
          calls: count(),
          seconds: sum((call) => call.seconds),
          squares: sumOfSquares,
        })
        .dropLate('nothing is late: rows that are spread are never later than they were')
        .map(({ key, window, ...rest }) => ({ cell: key, from: window.start, ...rest }))
        .to('totals', fileSink({ directory: '/out' }), { parallelism: 1 })
      parsed
        .keyBy((call) => call.cell, { parallelism: 2 })
        .aggregate(
          'running',
          { calls: count(), seconds: sum((call) => call.seconds) },
          { emit: 'latest' },
        )
        .map(({ key, ...rest }) => ({ cell: key, ...rest }))
        .to('running', fileSink({ directory: '/out' }))
      parsed
        .partitionBy((call) => call.seconds % 4, { partitions: 4 })
        .filter((call) => call.seconds > 300)
        .to('long', fileSink({ directory: '/out' }))
      timed
        .partitionBy((call) => call.cell)
        .map((call) => call)
        .global()
        .to('all', fileSink({ directory: '/out' }))
      return app.plan()
    },
    check: ({ outputs }) =>
      compareLines('totals', outputs, asLines(windows.values())) ??
      repeated('running', linesOf(outputs, 'running')) ??
      compareTexts('running', latest(linesOf(outputs, 'running')), asLines(running.values())) ??
      compareLines('long', outputs, asLines(calls.filter(({ seconds }) => seconds > 300))) ??
      compareLines('all', outputs, asLines(calls)),
  }
}

/** No two epochs show the same number of calls of one cell: each has taken rows that the other has not. */
function repeated(sink: string, lines: readonly string[]): Violation | undefined {
  const seen = new Set<string>()
  for (const line of lines) {
    const { cell, calls } = JSON.parse(line) as { cell: number; calls: number }
    if (seen.has(`${cell} ${calls}`))
      return {
        oracle: 'O02',
        title: 'a result was given twice',
        message: `sink "${sink}": ${line}`,
      }
    seen.add(`${cell} ${calls}`)
  }
  return undefined
}

/** The last line of each cell, which has counted the most calls. */
function latest(lines: readonly string[]): readonly string[] {
  const last = new Map<number, { readonly calls: number; readonly line: string }>()
  for (const line of lines) {
    const { cell, calls } = JSON.parse(line) as { cell: number; calls: number }
    if (calls > (last.get(cell)?.calls ?? 0)) last.set(cell, { calls, line })
  }
  return [...last.values()].map(({ line }) => line)
}
