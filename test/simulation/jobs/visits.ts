/**
 * A keyed process with all six kinds of state, timers of both times, two outputs, records that fail after they have
 * written state, and records that do not decode. The model below does the same with plain maps.
 */
import { fileSink } from '../../../src/connectors/file-sink/file-sink.ts'
import { lines } from '../../../src/connectors/file/lines.ts'
import { milliseconds, timestamp } from '../../../src/base/time.ts'
import { int, text } from '../../../src/schema/scalars.ts'
import { field, struct } from '../../../src/schema/struct.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  sortedMapState,
  valueState,
} from '../../../src/stream/state.ts'
import type { Violation } from '../../../src/testing/simulate/violation.ts'
import { compareLines, type JobMaker, linesOf, paced, words } from './support.ts'

const report = struct('report', {
  user: field(1, text),
  at: field(2, int),
  visits: field(3, int),
  pages: field(4, text),
  perPage: field(5, text),
  late: field(6, text),
  longest: field(7, int),
  total: field(8, int),
})
const burst = struct('burst', { user: field(1, text), visits: field(2, int) })

interface Visit {
  readonly user: string
  readonly page: string
  readonly at: number
  readonly ms: number
}

const idleMs = 60
const disorderMs = 30

export const visits: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  const rows: string[] = []
  let clock = 1_000
  for (let i = 0; i < sizes.records; i++) {
    clock += random.u32() % 25
    const pick = random.u32() % 20
    if (pick === 0) rows.push('not a visit')
    else {
      const visit: Visit = {
        user: `u${random.u32() % sizes.keys}`,
        // A visit of page `fail` throws after it has touched every state.
        page: pick === 1 ? 'fail' : words[random.u32() % 5]!,
        at: clock - (random.u32() % (disorderMs + 1)),
        ms: random.u32() % 1_000,
      }
      rows.push(JSON.stringify(visit))
    }
  }
  const expected = model(rows)
  const good = rows.flatMap(parsed).filter((visit) => visit.page !== 'fail').length
  return {
    name: 'visits',
    files: { '/in/visits.jsonl': rows.map((row) => `${row}\n`).join('') },
    outputs: ['reports', 'bursts', 'rejected'].map((sink) => ({
      sink,
      directory: `/out/${sink}`,
      extension: '.jsonl',
    })),
    intervalMs,
    plan: () => plan(sizes, paceMs),
    check: ({ outputs }) =>
      compareLines('reports', outputs, expected) ??
      compareLines(
        'rejected',
        outputs,
        rows.filter((row) => row.startsWith('not')).map((row) => JSON.stringify(row)),
      ) ??
      eachOnce(linesOf(outputs, 'bursts'), good),
  }
}

function parsed(row: string): Visit[] {
  return row.startsWith('{') ? [JSON.parse(row) as Visit] : []
}

function plan(sizes: Parameters<JobMaker>[0]['sizes'], paceMs: number) {
  const app = pipelineOn(undefined)('visits')
  const source = lines('/in/visits.jsonl', {
    chunkBytes: sizes.segmentBytes,
    batchRowsMax: sizes.bufferRecords,
  })
  const visit = app
    .from('visits', paced(source, paceMs))
    .try('parse', (line): Visit => JSON.parse(line))
  visit.rejected.map(({ input }) => input).to('rejected', fileSink({ directory: '/out' }))
  const out = visit.results
    .withEventTime({
      timestamp: ({ at }) => timestamp(at),
      maxOutOfOrderness: milliseconds(disorderMs),
    })
    .keyBy(({ user }) => user)
    .process('sessions', {
      state: {
        visits: valueState(int, { initial: 0 }),
        pages: listState(text),
        perPage: mapState(text, int),
        times: sortedMapState(int, text),
        longest: reducingState(int, Math.max),
        total: aggregatingState(int, {
          create: () => 0,
          add: (sum: number, ms: number) => sum + ms,
          result: (sum) => sum,
        }),
        recent: valueState(int, { initial: 0 }),
      },
      timers: { idle: 'event-time', quiet: 'processing-time' },
      output: { reports: report, bursts: burst },
      onError: 'skip',
      onRecord({ page, at, ms }, ctx) {
        const { visits, pages, perPage, times, longest, total, recent } = ctx.state
        visits.set(visits.get() + 1)
        pages.add(page)
        perPage.set(page, (perPage.get(page) ?? 0) + 1)
        if (perPage.size > 3) perPage.delete(page)
        times.set(at, page)
        longest.add(ms)
        total.add(ms)
        recent.set(recent.get() + 1)
        ctx.timers.idle.setAfter(milliseconds(idleMs))
        if (page === 'fail') throw new Error('this page always fails')
        // Bursts end in processing time: when differs between runs, that each visit is in exactly one does not.
        if (recent.get() >= 3) {
          ctx.emit('bursts', { user: ctx.key, visits: recent.get() })
          recent.clear()
          ctx.timers.quiet.clear()
        } else ctx.timers.quiet.setAfter(milliseconds(5))
      },
      onTimer: {
        quiet(ctx) {
          const { recent } = ctx.state
          if (recent.get() > 0) ctx.emit('bursts', { user: ctx.key, visits: recent.get() })
          recent.clear()
        },
        idle(ctx) {
          const { visits, pages, perPage, times, longest, total, recent } = ctx.state
          if (recent.get() > 0) ctx.emit('bursts', { user: ctx.key, visits: recent.get() })
          recent.clear()
          ctx.timers.quiet.clear()
          ctx.emit('reports', {
            user: ctx.key,
            at: ctx.timestamp,
            visits: visits.get(),
            pages: pages.all().join(),
            perPage: [...perPage.entries()].map(([page, n]) => `${page}:${n}`).join(),
            late: [...times.range(ctx.timestamp - 2 * idleMs)]
              .map(([at, page]) => `${at}:${page}`)
              .join(),
            longest: longest.get() ?? -1,
            total: total.get() ?? -1,
          })
          for (const state of [visits, pages, perPage, longest, total]) state.clear()
          times.deleteBefore(ctx.timestamp - idleMs)
        },
      },
    })
  out.reports.to('reports', fileSink({ directory: '/out' }))
  out.bursts.to('bursts', fileSink({ directory: '/out' }))
  return app.plan()
}

function eachOnce(bursts: readonly string[], good: number): Violation | undefined {
  let sum = 0
  for (const line of bursts) sum += (JSON.parse(line) as { readonly visits: number }).visits
  if (sum === good) return undefined
  return {
    oracle: 'O02',
    title: 'visits lost or counted twice',
    message: `${sum} visits in bursts, ${good} in the input`,
  }
}

interface Session {
  visits: number
  pages: string[]
  perPage: Map<string, number>
  times: Map<number, string>
  longest: number
  total: number
  due: number
}

/** One partition, so the watermark after a row is the largest time so far minus the disorder and 1 ms. */
function model(rows: readonly string[]): string[] {
  const sessions = new Map<string, Session>()
  const out: string[] = []
  let largest = Number.NEGATIVE_INFINITY
  const fire = (watermark: number): void => {
    const due = [...sessions]
      .filter(([, session]) => session.due <= watermark)
      .sort(([, a], [, b]) => a.due - b.due)
    for (const [user, session] of due) {
      const at = session.due
      const times = [...session.times].sort(([a], [b]) => a - b)
      out.push(
        JSON.stringify({
          user,
          at,
          visits: session.visits,
          pages: session.pages.join(),
          perPage: [...session.perPage].map(([page, n]) => `${page}:${n}`).join(),
          late: times
            .filter(([t]) => t >= at - 2 * idleMs)
            .map(([t, page]) => `${t}:${page}`)
            .join(),
          longest: session.longest,
          total: session.total,
        }),
      )
      sessions.set(user, {
        ...fresh(),
        times: new Map(times.filter(([t]) => t >= at - idleMs)),
      })
    }
  }
  for (const { user, page, at, ms } of rows.flatMap(parsed)) {
    if (page !== 'fail') {
      const session = sessions.get(user) ?? fresh()
      sessions.set(user, session)
      session.visits++
      session.pages.push(page)
      session.perPage.set(page, (session.perPage.get(page) ?? 0) + 1)
      if (session.perPage.size > 3) session.perPage.delete(page)
      session.times.set(at, page)
      session.longest = Math.max(session.longest, ms)
      session.total += ms
      session.due = at + idleMs
    }
    largest = Math.max(largest, at)
    fire(largest - disorderMs - 1)
  }
  fire(Number.MAX_VALUE)
  return out
}

function fresh(): Session {
  return {
    visits: 0,
    pages: [],
    perPage: new Map(),
    times: new Map(),
    longest: -1,
    total: 0,
    due: Number.POSITIVE_INFINITY,
  }
}
