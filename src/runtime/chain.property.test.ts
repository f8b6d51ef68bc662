/**
 * The generated chain, its interpreted twin, rows in frames and a plain loop over arrays must agree on random programs,
 * whatever the size of batches and wherever state is restored.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import { isTidemillError } from '../base/errors.ts'
import type { Plan } from '../graph/plan.ts'
import { float, int, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { listState, mapState, valueState } from '../stream/state.ts'
import type { Stream } from '../stream/types.ts'
import { nullSink, type RunRowsOptions, rowsSource, runRows } from './run-rows.test-support.ts'

const rowSchema = struct('row', {
  t: field(1, int),
  k: field(2, int),
  v: field(3, float),
  s: field(4, text),
})
const outSchema = struct('out', { k: field(1, int), n: field(2, int), list: field(3, text) })

interface Row {
  readonly t: number
  readonly k: number
  readonly v: number
  readonly s: string
}

/** One stateless step as a method and as what it does to an array. */
interface Step {
  readonly name: string
  readonly add: (stream: Stream<Row>) => Stream<Row>
  readonly model: (rows: readonly Row[]) => readonly Row[]
}

const steps: readonly Step[] = [
  {
    name: 'map fields',
    add: (s) => s.map((r) => ({ t: r.t, k: r.k, v: r.v * 2, s: r.s })),
    model: (rows) => rows.map((r) => ({ t: r.t, k: r.k, v: r.v * 2, s: r.s })),
  },
  {
    name: 'map spread',
    add: (s) => s.map((r) => ({ ...r, s: `${r.s}!` })),
    model: (rows) => rows.map((r) => ({ ...r, s: `${r.s}!` })),
  },
  {
    name: 'filter',
    add: (s) => s.filter((r) => r.v % 3 !== 0),
    model: (rows) => rows.filter((r) => r.v % 3 !== 0),
  },
  {
    name: 'filter by text',
    add: (s) => s.filter(({ s: name }) => name !== 'b'),
    model: (rows) => rows.filter((r) => r.s !== 'b'),
  },
  {
    name: 'flatMap array',
    add: (s) => s.flatMap((r) => (r.v > 2 ? [r, { ...r, v: -1 }] : [])),
    model: (rows) => rows.flatMap((r) => (r.v > 2 ? [r, { ...r, v: -1 }] : [])),
  },
  {
    name: 'flatMap iterable',
    add: (s) => s.flatMap((r) => new Set([r])),
    model: (rows) => rows,
  },
  {
    name: 'rows that would change hands',
    add: (s) =>
      s
        .rebalance()
        .partitionBy((r) => r.k)
        .global(),
    model: (rows) => rows,
  },
  {
    name: 'union with itself',
    add: (s) => s.union(s.map((r) => ({ ...r, s: 'u' }))),
    // The order between inputs of a union is free; ours follows the order in which steps were added.
    model: (rows) => rows.flatMap((r) => [{ ...r, s: 'u' }, r]),
  },
]

function keyed(stream: Stream<Row>, sink: string): void {
  stream
    .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(5) })
    .keyBy((r) => r.k)
    .process('collect', {
      state: {
        n: valueState(int, { initial: 0 }),
        seen: listState(text),
        best: mapState(text, float),
      },
      timers: { quiet: 'event-time' },
      output: outSchema,
      onRecord(r, ctx) {
        ctx.state.n.set(ctx.state.n.get() + 1)
        ctx.state.seen.add(r.s)
        ctx.state.best.set(r.s, r.v)
        ctx.timers.quiet.setAt(timestamp(r.t + 10))
      },
      onTimer: {
        quiet(ctx) {
          const best = [...ctx.state.best.entries()].map(([s, v]) => `${s}=${v}`)
          ctx.emit({
            k: ctx.key,
            n: ctx.state.n.get(),
            list: [...ctx.state.seen.all(), ...best].join(),
          })
          ctx.state.seen.clear()
        },
      },
    })
    .to(sink, nullSink())
}

function planOf(chosen: readonly Step[]): Plan {
  const app = pipelineOn(undefined)('random')
  let stream: Stream<Row> = app.from('rows', rowsSource<Row>())
  for (const step of chosen) stream = step.add(stream)
  stream.to('rows', nullSink())
  const tried = stream.try('halve', (r) => {
    if (r.v > 4) throw new RangeError(`${r.v} is too much`)
    return { ...r, v: r.v / 2 }
  })
  tried.results.to('halved', nullSink())
  tried.rejected.map((r) => [r.input, r.error.message]).to('rejected', nullSink())
  keyed(stream, 'keyed')
  return app.plan()
}

const rowsArbitrary = fc.array(
  fc.record({
    t: fc.integer({ min: 0, max: 60 }),
    k: fc.integer({ min: 0, max: 3 }),
    v: fc.integer({ min: 0, max: 6 }),
    s: fc.constantFrom('a', 'b', 'ä', '🙂'),
  }),
  { maxLength: 40 },
)
const stepsArbitrary = fc.array(fc.constantFrom(...steps), { maxLength: 5 })

describe('chains', () => {
  it('do the same generated, interpreted, in frames, in any batch size and across a restore', async () => {
    await fc.assert(
      fc.asyncProperty(
        stepsArbitrary,
        rowsArbitrary,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 40 }),
        async (chosen, rows, batchRows, restoreAfter) => {
          const plan = planOf(chosen)
          const run = (options: RunRowsOptions): ReturnType<typeof runRows> =>
            runRows(plan, rows, options)
          const plain = await run({ batchRows })
          const model = chosen.reduce<readonly Row[]>((all, step) => step.model(all), rows)
          expect(plain['rows']).toEqual(model)
          expect(plain['halved']).toEqual(
            model.filter((r) => r.v <= 4).map((r) => ({ ...r, v: r.v / 2 })),
          )
          expect(plain['rejected']).toEqual(
            model.filter((r) => r.v > 4).map((r) => [r, `${r.v} is too much`]),
          )
          expect(await run({ batchRows, interpreted: true })).toEqual(plain)
          expect(await run({ batchRows: 1 })).toEqual(plain)
          expect(await run({ batchRows, frames: rowSchema as never })).toEqual(plain)
          expect(await run({ batchRows, restoreAfter })).toEqual(plain)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('name step and record of what a user function throws', async () => {
    for (const interpreted of [false, true]) {
      const app = pipelineOn(undefined)('throws')
      app
        .from('rows', rowsSource<Row>())
        .map((r) => {
          if (r.v === 3) throw null
          return r
        })
        .to('rows', nullSink())
      const rows = [1, 2, 3].map((v) => ({ t: v, k: v, v, s: '' }))
      const error = await runRows(app.plan(), rows, { interpreted }).catch((e: unknown) => e)
      expect(isTidemillError(error) && error.code).toBe('TM1901')
      expect(isTidemillError(error) && error.details['operator']).toMatch(/map/)
    }
  })

  it('refuse keys that are not keys', async () => {
    for (const key of [Number.NaN, undefined, {}, Number.POSITIVE_INFINITY, [1, [2]]]) {
      for (const interpreted of [false, true]) {
        const app = pipelineOn(undefined)('keys')
        app
          .from('rows', rowsSource<Row>())
          .keyBy(() => key as number)
          .count('n')
          .to('rows', nullSink())
        const error = await runRows(app.plan(), [{}], { interpreted }).catch((e: unknown) => e)
        expect(isTidemillError(error) && error.code).toBe('TM1903')
      }
    }
  })

  it('set aside rows whose time cannot be told', async () => {
    for (const interpreted of [false, true]) {
      const app = pipelineOn(undefined)('times')
      const timed = app.from('rows', rowsSource<Row>()).tryWithEventTime('time', {
        timestamp: (r) => timestamp(r.v === 2 ? Number.NaN : r.t),
        maxOutOfOrderness: milliseconds(1),
      })
      timed.results.to('rows', nullSink())
      timed.rejected.map((r) => [r.input.v, r.error.code]).to('rejected', nullSink())
      const rows = [1, 2, 3].map((v) => ({ t: v, k: 0, v, s: '' }))
      const got = await runRows(app.plan(), rows, { interpreted })
      expect(got['rows']).toEqual([rows[0], rows[2]])
      expect(got['rejected']).toEqual([[2, 'TM1902']])
    }
  })

  it('skip what throws without a trace when the policy says so', async () => {
    for (const interpreted of [false, true]) {
      const app = pipelineOn(undefined)('skips', { onError: { user: 'skip' } })
      app
        .from('rows', rowsSource<Row>())
        .keyBy((r) => r.k)
        .process('sum', {
          state: { total: valueState(int, { initial: 0 }) },
          output: int,
          onRecord(r, ctx) {
            ctx.state.total.set(ctx.state.total.get() + r.v)
            ctx.emit(ctx.state.total.get())
            if (r.v === 2) throw new Error('no twos')
          },
        })
        .to('rows', nullSink())
      const rows = [1, 2, 3].map((v) => ({ t: v, k: 0, v, s: '' }))
      expect(await runRows(app.plan(), rows, { interpreted })).toEqual({ rows: [1, 4] })
    }
  })

  it('name the place of a row that came straight from its source, and no place of others', async () => {
    for (const interpreted of [false, true]) {
      const app = pipelineOn(undefined)('places', { onError: { user: 'dead-letter' } })
      const refuse =
        (v: number) =>
        (r: Row): Row => {
          if (r.v === v) throw new Error(`no ${v}`)
          return r
        }
      const mapped = app.from('rows', rowsSource<Row>()).map(refuse(2))
      const tried = mapped.try('tried', refuse(3))
      tried.rejected.map((r) => `${r.input.v} ${r.position}`).to('rejected', nullSink())
      tried.results
        .keyBy((r) => r.k)
        .process('step', {
          state: {},
          output: int,
          onRecord(r, ctx) {
            if (r.v === 4) throw new Error('no 4')
            ctx.emit(r.v)
          },
        })
        .map((v) => {
          if (v === 5) throw new Error('no 5')
          return v
        })
        .to('out', nullSink())
      const rows = [1, 2, 3, 4, 5, 6].map((v) => ({ t: v, k: 0, v, s: '' }))
      const got = await runRows(app.plan(), rows, { interpreted, batchRows: 10 })
      expect(got['rejected']).toEqual(['3 rows:2'])
      const letters = (got['dead letters'] ?? []) as {
        position: string
        error: { message: string }
      }[]
      expect(letters.map((letter) => [letter.error.message, letter.position])).toEqual([
        ['no 2', 'rows:1'],
        ['no 4', 'rows:3'],
        // A result of a step with state has no one origin.
        ['no 5', ''],
      ])
      expect(got['out']).toEqual([1, 6])
    }
  })
})
