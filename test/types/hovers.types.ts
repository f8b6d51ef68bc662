/** Types whose display in an editor is part of the API; `types.test.ts` compares what the compiler prints. */
import { count, minutes, pipeline, type Stream, sum, type TimeMode, tumbling } from 'tidemill'
import { type Alert, alert, lines, orders, timed } from './model.ts'

export const hoverWords = pipeline('hovers')
  .from('book', lines('book.txt'))
  .keyBy((word) => word)
  .count('words')
export const hoverWindow = timed
  .keyBy((o) => o.shopId)
  .window(tumbling(minutes(1)))
  .aggregate('revenue', { total: sum((o) => o.amount), orders: count() })
  .dropLate('shown only')
export const hoverPairs = orders
  .keyBy((o) => [o.shopId, o.userId])
  .aggregate('pairs', { orders: count() })
export const hoverOutputs = orders
  .keyBy((o) => o.userId)
  .process('two', {
    output: { first: alert, second: alert },
    onRecord(o, ctx) {
      ctx.emit('first', { user: ctx.key, orders: 1 })
    },
  })

// What a test harness takes: any time mode fits.
export declare function harness<In, Out>(
  build: (input: Stream<In>) => Stream<Out, TimeMode>,
): Promise<[In, Out]>
export const untimed: Promise<[number, number]> = harness((input: Stream<number>) =>
  input.map((n) => n + 1),
)
export const eventTime: Promise<[Alert, Alert]> = harness((input: Stream<Alert>) =>
  input.withEventTime({ timestamp: () => 0 as never, maxOutOfOrderness: minutes(1) }),
)
