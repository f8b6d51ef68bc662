/** Orders of one topic, numbered and summed per customer, into another: any repetition or loss shows in the numbers. */
import {
  field,
  int,
  json,
  logSink,
  logSource,
  param,
  pipeline,
  struct,
  text,
  valueState,
} from 'tidemill'
import { endThreadWhenTold } from './thread-end.ts'

endThreadWhenTold()

const order = struct('order', {
  id: field(1, int),
  customer: field(2, text),
  amount: field(3, int),
})
const total = struct('total', {
  customer: field(1, text),
  orders: field(2, int),
  sum: field(3, int),
  lastId: field(4, int),
})

const app = pipeline('log-to-log')

app
  .from(
    'orders',
    logSource({ directory: param('from'), topic: 'orders', value: json(order), until: 'end' }),
  )
  .keyBy((row) => row.customer)
  .process('totals', {
    state: { orders: valueState(int, { initial: 0 }), sum: valueState(int, { initial: 0 }) },
    output: total,
    onRecord({ customer, amount, id }, ctx) {
      const orders = ctx.state.orders.get() + 1
      const sum = ctx.state.sum.get() + amount
      ctx.state.orders.set(orders)
      ctx.state.sum.set(sum)
      ctx.emit({ customer, orders, sum, lastId: id })
    },
  })
  .to(
    'totals',
    logSink({
      directory: param('to'),
      topic: 'totals',
      value: json(total),
      key: (row) => row.customer,
      partitions: 4,
    }),
  )

await app.run()
