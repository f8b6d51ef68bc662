/** From one topic of the event log to another, through a running sum per key. */
import type { Env } from '../../../src/base/env.ts'
import { logSink, logSource } from '../../../src/connectors/log/log-topic.ts'
import { openLog } from '../../../src/log/log.ts'
import { json } from '../../../src/schema/json.ts'
import { int, text } from '../../../src/schema/scalars.ts'
import { field, struct } from '../../../src/schema/struct.ts'
import type { TypeOf } from '../../../src/schema/schema.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import { valueState } from '../../../src/stream/state.ts'
import { compareLines, type JobMaker, paced } from './support.ts'

const reading = struct('reading', { meter: field(1, text), amount: field(2, int) })
const sum = struct('sum', { meter: field(1, text), serial: field(2, int), total: field(3, int) })
type Reading = TypeOf<typeof reading>
type Sum = TypeOf<typeof sum>

const directory = '/log'

export const topics: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  const rows: Reading[] = Array.from({ length: sizes.records }, () => ({
    meter: `m${random.u32() % sizes.keys}`,
    amount: random.u32() % 100,
  }))
  const framed = random.u32() % 2 === 0
  const sumCodec = framed ? sum : json<Sum>(sum)
  const sums = new Map<string, { serial: number; total: number }>()
  const expected = rows.map(({ meter, amount }) => {
    const { serial, total } = sums.get(meter) ?? { serial: 0, total: 0 }
    sums.set(meter, { serial: serial + 1, total: total + amount })
    return JSON.stringify({ meter, serial: serial + 1, total: total + amount })
  })
  return {
    name: 'topics',
    files: {},
    outputs: [],
    intervalMs,
    async prepare(env) {
      const log = openLog({ env, directory })
      await log.createTopic('readings', { partitions: 2, segmentBytes: 4_096 })
      await log.createTopic('sums', { partitions: 2, segmentBytes: 4_096 })
      await log.close()
      const sink = logSink<Reading>({
        directory,
        topic: 'readings',
        value: reading,
        key: (row) => row.meter,
      })
      const writer = await sink.open({
        env,
        name: 'readings',
        job: 'meters',
        subtask: 0,
        subtasks: 1,
        generation: 1,
        fresh: true,
      })
      await writer.recover([])
      for (const row of rows) writer.write(row, Number.NaN)
      await writer.commit(1, await writer.prepare(1))
      await writer.close()
    },
    collect: async (env) =>
      new Map([['sums', [{ name: 'sums', text: (await read(env, sumCodec)).join('\n') }]]]),
    plan() {
      const app = pipelineOn(undefined)('topics')
      app
        .from(
          'readings',
          paced(logSource({ directory, topic: 'readings', value: reading, until: 'end' }), paceMs),
        )
        .keyBy((row) => row.meter)
        .process('sum', {
          state: {
            serial: valueState(int, { initial: 0 }),
            total: valueState(int, { initial: 0 }),
          },
          output: sum,
          onRecord({ meter, amount }, ctx) {
            const { serial, total } = ctx.state
            serial.set(serial.get() + 1)
            total.set(total.get() + amount)
            ctx.emit({ meter, serial: serial.get(), total: total.get() })
          },
        })
        .to(
          'sums',
          logSink<Sum>({
            directory,
            topic: 'sums',
            value: sumCodec,
            ...(framed ? {} : { key: (row: Sum) => row.meter }),
          }),
        )
      return app.plan()
    },
    check: ({ outputs }) => compareLines('sums', outputs, expected),
  }
}

/** All committed rows, as a reader of another process sees them. */
async function read(
  env: Env,
  value: Parameters<typeof logSource<Sum>>[0]['value'],
): Promise<string[]> {
  const handle = await logSource<Sum>({ directory, topic: 'sums', value, until: 'end' }).open({
    env,
    name: 'reader',
    fields: undefined,
    mode: 'batch',
  })
  const lines: string[] = []
  const add = ({ meter, serial, total }: Sum): void =>
    void lines.push(JSON.stringify({ meter, serial, total }))
  for (const partition of await handle.partitions()) {
    const reader = await handle.reader(partition, undefined)
    for (let batch = await reader.read(); batch !== 'end'; batch = await reader.read()) {
      if (batch === 'idle') await reader.wait(5)
      else if (batch.kind === 'rows') for (const row of batch.rows) add(row)
      else for (let i = 0; i < batch.frame.length; i++) add(batch.frame.row(i) as Sum) // rows of this codec
    }
    await reader.close()
  }
  await handle.close()
  return lines
}
