/**
 * One life of a job in a process that ends itself by SIGKILL when it passes a named crash point:
 *
 *     node crash-point.mjs FOLDER [POINT HIT]
 *
 * The program that is shipped ignores crash points. This one is given an `Env` of its own that heeds them, so that nothing
 * a user can set makes a job end there.
 */
import { join } from 'node:path'
import type { Env } from '../../../src/base/env.ts'
import { installNodeFileClients } from '../../../src/connectors/file/client.ts'
import { inlineExecutor } from '../../../src/execution.ts'
import {
  field,
  fileSink,
  int,
  jsonLines,
  logSink,
  milliseconds,
  struct,
  text,
  timestamp,
  valueState,
} from '../../../src/index.ts'
import { openLog } from '../../../src/log/log.ts'
import { createNodeEnv } from '../../../src/platform/node.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'

const [folder = '', point, hit] = process.argv.slice(2)

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

function envThatEnds(): Env {
  const env = createNodeEnv({ logLevel: 'error' })
  let left = Number(hit)
  const host: Env['host'] = {
    ...env.host,
    crashPoint(name) {
      if (name !== point || --left !== 0) return
      process.kill(process.pid, 'SIGKILL')
      for (;;); // nothing may happen before the signal does
    },
  }
  return { ...env, host }
}

installNodeFileClients()
const env = envThatEnds()
// Small segments, so that one ends several times. The writer is given up before the job wants it.
const log = openLog({ env, directory: join(folder, 'log') })
await log.ensureTopic('totals', { partitions: 2, segmentBytes: 1 << 14 })
await log.close()

const app = pipelineOn(inlineExecutor(() => env))('crash-points')
const totals = app
  .from('orders', jsonLines(join(folder, '..', 'orders.jsonl'), order))
  .withEventTime({ timestamp: (row) => timestamp(row.id), maxOutOfOrderness: milliseconds(1) })
  .keyBy((row) => row.customer)
  .process('totals', {
    state: { orders: valueState(int, { initial: 0 }), sum: valueState(int, { initial: 0 }) },
    // What fires by the clock is not the same in two runs, so it emits nothing.
    timers: { quiet: 'event-time', soon: 'processing-time' },
    output: total,
    onRecord({ customer, amount, id }, ctx) {
      // Slow enough for several epochs.
      if (id % 100 === 0) for (const fromMs = performance.now(); performance.now() < fromMs + 1; );
      const orders = ctx.state.orders.get() + 1
      const sum = ctx.state.sum.get() + amount
      ctx.state.orders.set(orders)
      ctx.state.sum.set(sum)
      if (orders === 1) ctx.timers.soon.setAt(timestamp(0))
      if (orders % 10 === 0) ctx.timers.quiet.setAt(timestamp(ctx.timestamp + 25))
      ctx.emit({ customer, orders, sum, lastId: id })
    },
    onTimer: {
      soon() {},
      quiet(ctx) {
        const [orders, sum] = [ctx.state.orders.get(), ctx.state.sum.get()]
        ctx.emit({ customer: ctx.key, orders, sum, lastId: -1 })
      },
    },
  })
totals.to('files', fileSink({ directory: join(folder, 'output') }))
totals.to(
  'topic',
  logSink({
    directory: join(folder, 'log'),
    topic: 'totals',
    value: total,
    key: (row) => row.customer,
  }),
)
await app.run({
  state: join(folder, 'state'),
  checkpointInterval: milliseconds(5),
  // Rows are in flight between subtasks only. The life after it has one.
  ...(point === 'op.capture' ? { workers: 2, alignedCheckpointTimeout: milliseconds(0) } : {}),
})
