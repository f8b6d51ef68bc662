import { expect, test } from 'vitest'
import { order, pipeline, plannedSink, plannedSource } from '../stream/samples.test-support.ts'
import { explainJob } from './explain-job.ts'

test('says which fields of a source are read, and who needs plain rows', () => {
  const app = pipeline('reads')
  const orders = app.from('orders', plannedSource(order))
  orders.map((o) => o.amount * o.shopId).to('sums', plannedSink())
  expect(explainJob(app.plan())).toContain('reads of its source:\n  orders: amount, shopId')
  app
    .from('others', plannedSource(order))
    .map((o) => ({ ...o }))
    .to('copies', plannedSink())
  app.from('texts', plannedSource<string>()).to('same', plannedSink())
  const text = explainJob(app.plan())
  expect(text).toContain('  orders: amount, shopId\n  others: whole rows\n\ntakes plain rows')
  expect(text).toContain('spreads the row')
})
