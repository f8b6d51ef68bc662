/**
 * The smallest job that keeps the order of a commit, to hurt sinks with: it writes the rows 0, 1, 2, …, prepares an epoch
 * now and then, publishes a manifest that holds the position and every preparation not yet committed, and commits.
 */
import { readWhole, removeIfPresent, writeNew } from '../../base/disk-io.ts'
import { type Env, DiskError } from '../../base/env.ts'
import type { PreparedEpoch, Sink, SinkContext } from '../../connectors/contract.ts'

export interface Manifest {
  readonly epoch: number
  readonly generation: number
  /** Rows in committed epochs. */
  readonly rows: number
  readonly prepared: readonly { readonly epoch: number; readonly bytes: readonly number[] }[]
}

const directory = '/job'
const none: Manifest = { epoch: 0, generation: 0, rows: 0, prepared: [] }

export async function readManifest({ disk }: Env): Promise<Manifest> {
  const newest = (await disk.list(directory)).filter((name) => /^m\d+$/.test(name)).at(-1)
  const bytes = newest === undefined ? undefined : await readWhole(disk, `${directory}/${newest}`)
  return bytes === undefined ? none : (JSON.parse(new TextDecoder().decode(bytes)) as Manifest)
}

async function publishManifest({ disk }: Env, manifest: Manifest): Promise<void> {
  const name = `${directory}/m${String(manifest.epoch).padStart(9, '0')}`
  await writeNew(disk, `${name}.tmp`, new TextEncoder().encode(JSON.stringify(manifest)))
  await disk.rename(`${name}.tmp`, name)
  await disk.syncDir(directory)
}

/** Claims a generation durably, so that no two lives share one. */
async function nextGeneration({ disk }: Env): Promise<number> {
  await disk.mkdir(directory)
  await disk.syncDir('/')
  const last = (await disk.list(directory)).filter((name) => /^g\d+$/.test(name)).at(-1)
  const generation = last === undefined ? 1 : Number(last.slice(1)) + 1
  await writeNew(disk, `${directory}/g${String(generation).padStart(6, '0')}`, new Uint8Array(1))
  await disk.syncDir(directory)
  return generation
}

export function contextOf(env: Env, over: Partial<SinkContext> = {}): SinkContext {
  return {
    env,
    name: 'rows',
    job: 'conformance',
    subtask: 0,
    subtasks: 1,
    generation: 1,
    fresh: false,
    stateDirectory: directory,
    ...over,
  }
}

/** One life: recovers, then writes on until `goal` rows are committed. */
export async function sinkLife<Row>(
  env: Env,
  sink: Sink<Row>,
  row: (i: number) => Row,
  goal: number,
): Promise<void> {
  const generation = await nextGeneration(env)
  for (const name of await env.disk.list(directory)) {
    if (name.endsWith('.tmp')) await removeIfPresent(env.disk, `${directory}/${name}`)
  }
  const manifest = await readManifest(env)
  const writer = await sink.open(contextOf(env, { generation, fresh: manifest.epoch === 0 }))
  await writer.recover(
    manifest.prepared.map(({ epoch, bytes }) => ({ epoch, prepared: Uint8Array.from(bytes) })),
  )
  // A failed attempt leaves its epoch number unused, and its preparation with the subtask.
  let epoch = manifest.epoch + 1
  let rows = manifest.rows
  let open: PreparedEpoch[] = []
  while (rows < goal) {
    const count = env.random.u32() % 6
    for (let i = 0; i < count; i++) {
      writer.write(row(rows++), Number.NaN)
      if (writer.full || env.random.u32() % 8 === 0) await writer.flush()
    }
    const preparing = writer.prepare(epoch)
    const cutAt = rows
    if (env.random.u32() % 2 === 0) writer.write(row(rows++), Number.NaN)
    open.push({ epoch, prepared: await preparing })
    const fails = env.random.u32() % 5 === 0
    if (!fails) {
      const prepared = open.map((one) => ({ epoch: one.epoch, bytes: [...one.prepared] }))
      await publishManifest(env, { epoch, generation, rows: cutAt, prepared })
      for (const one of open) await writer.commit(one.epoch, one.prepared)
      open = []
    }
    epoch++
  }
  const last = await writer.prepare(epoch)
  open.push({ epoch, prepared: last })
  await publishManifest(env, {
    epoch,
    generation,
    rows,
    prepared: open.map((one) => ({ epoch: one.epoch, bytes: [...one.prepared] })),
  })
  for (const one of open) await writer.commit(one.epoch, one.prepared)
  await writer.close()
}

/** True for what a job survives by starting again. */
export function isDiskTrouble(error: unknown): boolean {
  return (
    error instanceof DiskError ||
    (error instanceof Error && error.cause !== undefined && isDiskTrouble(error.cause))
  )
}
