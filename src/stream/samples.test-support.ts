/** Sources and sinks that are only planned, never opened, and a program with one step of every kind. */
import type { Sink, Source } from '../connectors/contract.ts'
import { minutes, seconds } from '../base/time.ts'
import { int, text, instant, float } from '../schema/scalars.ts'
import type { TypeOf } from '../schema/schema.ts'
import { field, struct } from '../schema/struct.ts'
import type { Schema } from '../schema/types.ts'
import { count, quantile, sum } from './aggregates.ts'
import { type Pipeline, type PipelineOptions, pipelineOn } from './pipeline.ts'
import { mapState, valueState } from './state.ts'
import { tumbling } from './window-assigners.ts'

export const pipeline: (name: string, options?: PipelineOptions) => Pipeline = pipelineOn(undefined)

export const order = struct('order', {
  orderId: field(1, text),
  shopId: field(2, int),
  userId: field(3, text),
  amount: field(4, float),
  placedAt: field(5, instant),
})
export type Order = TypeOf<typeof order>

function never(): never {
  throw new Error('these connectors are never opened')
}

export function plannedSource<Row>(
  schema?: Schema<Row>,
  path: string = 'orders.jsonl',
): Source<Row> {
  return {
    role: 'source',
    connector: 'planned',
    describe: { path },
    schema,
    bounded: true,
    open: never,
  }
}

export function plannedSink<Row>(): Sink<Row> {
  return {
    role: 'sink',
    connector: 'planned',
    describe: {},
    guarantee: 'transactional',
    open: never,
  }
}

/** What a test may change about {@link completeProgram}. */
export interface Variation {
  readonly job?: string
  readonly path?: string
  readonly window?: number
  readonly stepName?: string
  readonly stateSchema?: Schema<string>
  readonly was?: string
  readonly reason?: string
  readonly outOfOrderSeconds?: number
  readonly fn?: (o: Order) => boolean
}

/** A program with nearly every kind of step, which varies where a test asks for it. */
export function completeProgram(vary: Variation = {}): Pipeline {
  const app = pipeline(vary.job ?? 'complete')
  const orders = app.from('orders', plannedSource(order, vary.path))
  const priced = orders.try('price', (o) => ({ ...o, net: o.amount / 1.19 }))
  priced.rejected.to('price-dead', plannedSink())
  const timed = priced.results
    .map((o) => o)
    .flatMap((o) => [o, o])
    .union(priced.results.map((o) => o))
    .filter(vary.fn ?? ((o) => o.amount > 0))
    .withEventTime({
      timestamp: (o) => o.placedAt,
      maxOutOfOrderness: seconds(vary.outOfOrderSeconds ?? 5),
    })
  timed
    .keyBy((o) => o.shopId)
    .window(tumbling(minutes(vary.window ?? 1)))
    .aggregate('revenue', { total: sum((o) => o.amount), p95: quantile((o) => o.amount, 0.95) })
    .dropLate(vary.reason ?? 'shown only')
    .to('revenue', plannedSink())
  const out = timed
    .keyBy((o) => o.userId)
    .process(vary.stepName ?? 'idle-user', {
      state: {
        seen: valueState(int, { initial: 0 }),
        names: mapState(text, vary.stateSchema ?? text),
      },
      timers: { idle: 'event-time' },
      output: { alerts: order, notes: text },
      ...(vary.was === undefined ? {} : { was: vary.was }),
      onRecord(o, ctx) {
        ctx.emit('alerts', o)
      },
      onTimer: {
        idle(ctx) {
          ctx.emit('notes', ctx.key)
        },
      },
    })
  out.alerts.to('alerts', plannedSink())
  out.notes.to('notes', plannedSink())
  timed
    .keyBy((o) => o.userId)
    .aggregate('per-user', { orders: count() }, { emit: 'latest' })
    .to('per-user', plannedSink())
  timed
    .keyBy((o) => o.userId)
    .reduce('last', (_, o) => o)
    .to('last', plannedSink())
  return app
}
