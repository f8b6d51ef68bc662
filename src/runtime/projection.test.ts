import { describe, expect, test } from 'vitest'
import { minutes, seconds } from '../base/time.ts'
import type { Source } from '../connectors/contract.ts'
import type { Plan } from '../graph/plan.ts'
import { int, text } from '../schema/scalars.ts'
import { aggregate, countDistinct, sum } from '../stream/aggregates.ts'
import type { PipelineOptions } from '../stream/pipeline.ts'
import {
  completeProgram,
  type Order,
  order,
  pipeline,
  plannedSink,
  plannedSource,
} from '../stream/samples.test-support.ts'
import type { Stream } from '../stream/types.ts'
import { tumbling } from '../stream/window-assigners.ts'
import { fieldsRead } from './projection.ts'

function read(
  build: (orders: Stream<Order>) => void,
  options?: PipelineOptions,
): readonly string[] | undefined {
  const app = pipeline('reads', options)
  build(app.from('orders', plannedSource(order) as Source<Order>))
  return of(app.plan())
}

function of(plan: Plan): readonly string[] | undefined {
  const source = plan.nodes.find((node) => node.kind === 'source')
  if (source?.kind !== 'source') throw new Error('there is no source')
  return fieldsRead(plan, source)
}

const timed = (orders: Stream<Order>) =>
  orders.withEventTime({ timestamp: (o) => o.placedAt, maxOutOfOrderness: seconds(1) })

describe('fields that are read of a source', () => {
  test('are those of all steps until a row is replaced', () => {
    expect(
      read((orders) =>
        orders
          .filter((o) => o.amount > 1)
          .map((o) => ({ shop: o.shopId }))
          .filter((o) => o.shop > 2)
          .to('out', plannedSink()),
      ),
    ).toEqual(['amount', 'shopId'])
  })

  test('are the union over branches, also through a union that brings them together', () => {
    expect(
      read((orders) => {
        const cheap = orders.filter((o) => o.amount < 1)
        const own = orders.filter((o) => o.userId !== '')
        cheap
          .union(own)
          .map((o) => o.shopId)
          .to('shops', plannedSink())
        orders.map((o) => o.orderId).to('ids', plannedSink())
      }),
    ).toEqual(['amount', 'orderId', 'shopId', 'userId'])
  })

  test('are none where rows are only counted', () => {
    expect(read((orders) => orders.map(() => 1).to('ones', plannedSink()))).toEqual([])
  })

  test('include times, keys and what aggregates read', () => {
    expect(
      read((orders) =>
        timed(orders)
          .keyBy((o) => o.shopId)
          .window(tumbling(minutes(1)))
          .aggregate('sums', {
            total: sum((o) => o.amount),
            users: countDistinct((o) => o.userId, { where: (o) => o.orderId !== '' }),
          })
          .dropLate('for this test')
          .to('out', plannedSink()),
      ),
    ).toEqual(['amount', 'orderId', 'placedAt', 'shopId', 'userId'])
  })

  test('include the row parameter of custom aggregates and of process', () => {
    expect(
      read((orders) => {
        const keyed = timed(orders).keyBy((o) => o.shopId)
        keyed
          .window(tumbling(minutes(1)))
          .aggregate('most', {
            most: aggregate({
              label: 'most',
              create: () => 0,
              add: (most: number, o: Order) => Math.max(most, o.amount),
              merge: Math.max,
              result: (most: number) => most,
              accumulator: int,
            }),
          })
          .dropLate('for this test')
          .to('out', plannedSink())
        keyed
          .process('see', { output: text, onRecord: (o, ctx) => ctx.emit(o.userId) })
          .to('seen', plannedSink())
      }),
    ).toEqual(['amount', 'placedAt', 'shopId', 'userId'])
  })

  test('are unknown as soon as somebody takes whole rows', () => {
    const whole = (build: (orders: Stream<Order>) => void, options?: PipelineOptions): void =>
      expect(read(build, options)).toBeUndefined()
    whole((orders) => orders.to('out', plannedSink()))
    whole((orders) => orders.filter((o) => o.amount > 1).to('out', plannedSink()))
    whole((orders) => orders.map((o) => ({ ...o })).to('out', plannedSink()))
    whole((orders) => orders.map(JSON.stringify).to('out', plannedSink()))
    whole((orders) =>
      orders
        .keyBy((o) => o.shopId)
        .reduce('last', (_, o) => o)
        .to('out', plannedSink()),
    )
    whole((orders) => {
      orders.map((o) => o.amount).to('amounts', plannedSink())
      orders.to('rows', plannedSink())
    })
  })

  test('are unknown where a record may be set aside', () => {
    const amounts = (orders: Stream<Order>): void => {
      orders.map((o) => o.amount).to('out', plannedSink())
    }
    const times = (orders: Stream<Order>): void => {
      timed(orders)
        .map((o) => o.amount)
        .to('out', plannedSink())
    }
    expect(read(amounts, { onError: { user: 'skip' } })).toEqual(['amount'])
    expect(read(amounts, { onError: { user: 'dead-letter' } })).toBeUndefined()
    expect(read(times, { onError: { time: 'skip' } })).toEqual(['amount', 'placedAt'])
    expect(read(times, { onError: { time: 'dead-letter' } })).toBeUndefined()
    expect(
      read((orders) => {
        const priced = orders.try('price', (o) => o.amount)
        priced.results.to('out', plannedSink())
        priced.rejected.to('bad', plannedSink())
      }),
    ).toBeUndefined()
    expect(
      read((orders) => {
        const { results, late } = timed(orders)
          .keyBy((o) => o.shopId)
          .window(tumbling(minutes(1)))
          .aggregate('sums', { total: sum((o) => o.amount) })
        results.to('out', plannedSink())
        late.to('late', plannedSink())
      }),
    ).toBeUndefined()
    expect(of(completeProgram().plan())).toBeUndefined()
  })
})
