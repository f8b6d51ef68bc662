/**
 * What every transactional sink must do, as tests. Run it on a sink of your own:
 *
 *     sinkConformance({ describe, test }, { name: 'my sink', make: () => mySink('/out'), row: (i) => ({ i }),
 *       published: async (env) => [...] })
 */
import type { Env } from '../../base/env.ts'
import type { Sink } from '../../connectors/contract.ts'
import { profileOf } from '../world/profile.ts'
import { createWorld } from '../world/world.ts'
import { type ConformanceHost, expectEqual, expectRejection, expectTrue } from './host.ts'
import { contextOf, isDiskTrouble, readManifest, sinkLife } from './sink-life.ts'

export interface SinkUnderTest<Row> {
  readonly name: string
  /** A descriptor that writes to the disk of the `env` it is opened with. */
  readonly make: () => Sink<Row>
  readonly row: (i: number) => Row
  /** What an outside observer sees, in the order of the rows. */
  readonly published: (env: Env) => Promise<readonly Row[]>
  /** The sink refuses results of another life when its state is new. Default true. */
  readonly refusesOldResults?: boolean
  /** Seeds of simulated crashes. Default 60. */
  readonly seeds?: number
}

export function sinkConformance<Row>(host: ConformanceHost, sink: SinkUnderTest<Row>): void {
  const rowsTo = (from: number, to: number): Row[] =>
    Array.from({ length: to - from }, (_, i) => sink.row(from + i))
  const inWorld = (run: (env: Env) => Promise<void>) => async (): Promise<void> => {
    const end = await createWorld({ seed: 1 }).run(run)
    if (end.kind === 'failed') throw end.error
    expectEqual(end.kind, 'done', 'end of the process')
  }
  host.describe(`transactional sink: ${sink.name}`, () => {
    host.test(
      'shows rows at their commit, not before, and once',
      inWorld(async (env) => {
        const writer = await sink.make().open(contextOf(env, { fresh: true }))
        await writer.recover([])
        for (const row of rowsTo(0, 3)) writer.write(row, Number.NaN)
        await writer.flush()
        expectEqual(await sink.published(env), [], 'after flush')
        const prepared = await writer.prepare(1)
        expectEqual(await sink.published(env), [], 'after prepare')
        expectTrue(prepared.length <= 65_536, 'a preparation is larger than 64 KiB')
        await writer.commit(1, prepared)
        await writer.commit(1, prepared)
        expectEqual(await sink.published(env), rowsTo(0, 3), 'after two commits')
        expectEqual(writer.counts(), { received: 3, skipped: 0, deadLettered: 0 }, 'counts')
        await writer.close()
      }),
    )

    host.test(
      'cuts at the call of prepare, also while it is pending',
      inWorld(async (env) => {
        const writer = await sink.make().open(contextOf(env, { fresh: true }))
        await writer.recover([])
        writer.write(sink.row(0), Number.NaN)
        const first = writer.prepare(1)
        writer.write(sink.row(1), Number.NaN)
        const second = writer.prepare(2)
        writer.write(sink.row(2), Number.NaN)
        await writer.commit(1, await first)
        expectEqual(await sink.published(env), rowsTo(0, 1), 'after the commit of epoch 1')
        await writer.commit(2, await second)
        expectEqual(await sink.published(env), rowsTo(0, 2), 'after the commit of epoch 2')
        await writer.close()
      }),
    )

    host.test(
      'flushes beside everything else: the cut holds what a pending flush has taken',
      inWorld(async (env) => {
        const writer = await sink.make().open(contextOf(env, { fresh: true }))
        await writer.recover([])
        writer.write(sink.row(0), Number.NaN)
        const before = writer.flush()
        writer.write(sink.row(1), Number.NaN)
        const first = writer.prepare(1)
        writer.write(sink.row(2), Number.NaN)
        await before
        const after = writer.flush()
        writer.write(sink.row(3), Number.NaN)
        await writer.commit(1, await first)
        expectEqual(await sink.published(env), rowsTo(0, 2), 'after the commit of epoch 1')
        const second = writer.prepare(2)
        await Promise.all([after, second])
        await writer.commit(2, await second)
        expectEqual(await sink.published(env), rowsTo(0, 4), 'after the commit of epoch 2')
        await writer.close()
      }),
    )

    host.test(
      'prepares nothing for an epoch without rows',
      inWorld(async (env) => {
        const writer = await sink.make().open(contextOf(env, { fresh: true }))
        await writer.recover([])
        const empty = await writer.prepare(1)
        expectEqual(empty.length, 0, 'bytes prepared')
        await writer.commit(1, empty)
        expectEqual(await sink.published(env), [], 'rows')
        await writer.close()
      }),
    )

    host.test(
      'recovers what a checkpoint holds and drops the rest',
      inWorld(async (env) => {
        const before = await sink.make().open(contextOf(env, { fresh: true }))
        await before.recover([])
        before.write(sink.row(0), Number.NaN)
        const kept = await before.prepare(1)
        before.write(sink.row(70), Number.NaN)
        await before.prepare(2)
        before.write(sink.row(80), Number.NaN)
        await before.flush()
        await before.close()
        for (const generation of [2, 3]) {
          const after = await sink.make().open(contextOf(env, { generation }))
          await after.recover([{ epoch: 1, prepared: kept }])
          expectEqual(await sink.published(env), rowsTo(0, 1), `life ${generation}`)
          await after.close()
        }
        const last = await sink.make().open(contextOf(env, { generation: 4 }))
        await last.recover([{ epoch: 1, prepared: kept }])
        last.write(sink.row(1), Number.NaN)
        await last.commit(2, await last.prepare(2))
        expectEqual(await sink.published(env), rowsTo(0, 2), 'rows in the end')
        await last.close()
      }),
    )

    host.test(
      'keeps subtasks apart',
      inWorld(async (env) => {
        const writers = await Promise.all(
          [0, 1].map((subtask) =>
            sink.make().open(contextOf(env, { subtask, subtasks: 2, fresh: true })),
          ),
        )
        for (const writer of writers) await writer.recover([])
        const { partitioning } = sink.make()
        const partitions = (await partitioning?.count({ env })) ?? 0
        for (const [i, row] of [sink.row(0), sink.row(1)].entries()) {
          // Rows that belong to a partition are given to its writer only.
          const partition = partitioning?.of(row, partitions) ?? i
          writers[partition % writers.length]!.write(row, Number.NaN)
        }
        for (const writer of writers) await writer.commit(1, await writer.prepare(1))
        const found = (await sink.published(env)).map((row) => JSON.stringify(row)).sort()
        expectEqual(
          found,
          rowsTo(0, 2)
            .map((row) => JSON.stringify(row))
            .sort(),
          'rows',
        )
        for (const writer of writers) await writer.close()
      }),
    )

    if (sink.refusesOldResults !== false) {
      host.test(
        'refuses results of another life when its state is new',
        inWorld(async (env) => {
          const writer = await sink.make().open(contextOf(env, { fresh: true }))
          await writer.recover([])
          writer.write(sink.row(0), Number.NaN)
          await writer.commit(1, await writer.prepare(1))
          await writer.close()
          await expectRejection(
            sink.make().open(contextOf(env, { fresh: true, generation: 2 })),
            'second start',
          )
        }),
      )
    }

    host.test('loses, repeats and changes nothing, however often it crashes', async () => {
      for (let seed = 0; seed < (sink.seeds ?? 60); seed++) await hurt(sink, seed)
    })
  })
}

/** Lives under the faults of one seed, seen by an observer after each of them. */
async function hurt<Row>(sink: SinkUnderTest<Row>, seed: number): Promise<void> {
  const world = createWorld({ seed, profile: profileOf(seed) })
  const goal = 30
  let seen: readonly Row[] = []
  const observe = async (last: boolean): Promise<void> => {
    world.setFaults(false)
    const end = await world.run(async (env) => ({
      rows: await sink.published(env),
      committed: (await readManifest(env)).rows,
    }))
    if (end.kind !== 'done')
      throw new Error(`seed ${seed}: the observer ended: ${end.kind}\n${world.dump()}`)
    const { rows, committed } = end.value
    const what = `seed ${seed}`
    expectEqual(rows.slice(0, seen.length), seen, `${what}: rows seen before`)
    expectTrue(
      rows.length <= committed,
      `${what}: ${rows.length} rows are visible, ${committed} are committed\n${world.dump()}`,
    )
    expectEqual(
      rows,
      Array.from({ length: rows.length }, (_, i) => sink.row(i)),
      `${what}: rows`,
    )
    if (last) expectEqual(rows.length, committed, `${what}: rows in the end`)
    seen = rows
  }
  for (let lives = 0; ; lives++) {
    expectTrue(lives < 60, `seed ${seed}: no end\n${world.dump()}`)
    world.setFaults(lives < 25)
    const end = await world.run((env) => sinkLife(env, sink.make(), sink.row, goal))
    if (end.kind === 'failed' && !isDiskTrouble(end.error))
      throw new Error(`seed ${seed}\n${world.dump()}`, { cause: end.error })
    await observe(end.kind === 'done')
    if (end.kind === 'done') break
  }
  world.crash('power')
  await observe(true)
}
