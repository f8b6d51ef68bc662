/** Reads a source to its end, as the runtime does: `poll` first, and optionally a restart after every batch. */
import type { Env } from '../base/env.ts'
import { createNodeEnv } from '../platform/node.ts'
import type {
  PartitionId,
  PartitionReader,
  Position,
  RejectedInput,
  Source,
  SourceBatch,
} from './contract.ts'

export const nodeEnv: Env = createNodeEnv({ logLevel: 'error' })

export interface ReadResult<Out> {
  readonly rows: Out[]
  readonly places: string[]
  readonly rejected: RejectedInput[]
  readonly positions: Position[]
}

export interface ReadOptions {
  readonly env?: Env
  readonly partition?: PartitionId
  readonly from?: Position
  /** Opens a new reader at the position after every batch. */
  readonly restart?: boolean
  readonly mode?: 'stream' | 'batch'
}

export async function readAll<Out>(
  source: Source<Out>,
  options: ReadOptions = {},
): Promise<ReadResult<Out>> {
  const { env = nodeEnv, restart = false, mode = 'batch' } = options
  const handle = await source.open({ env, name: 'input', fields: undefined, mode })
  const result: ReadResult<Out> = { rows: [], places: [], rejected: [], positions: [] }
  const partitions =
    options.partition === undefined ? await handle.partitions() : [options.partition]
  for (const partition of partitions) {
    let reader = await handle.reader(partition, options.from)
    for (;;) {
      const batch = await next(reader)
      if (batch === 'end') break
      if (batch === 'idle') {
        await reader.wait(10)
        continue
      }
      collect(batch, result)
      result.positions.push(reader.position())
      if (!restart) continue
      const position = reader.position()
      await reader.close()
      reader = await handle.reader(partition, position)
    }
    await reader.close()
  }
  await handle.close()
  return result
}

async function next<Out>(reader: PartitionReader<Out>): Promise<SourceBatch<Out> | 'idle' | 'end'> {
  return reader.poll?.() ?? (await reader.read())
}

function collect<Out>(batch: SourceBatch<Out>, result: ReadResult<Out>): void {
  if (batch.kind === 'frame') throw new Error('rows were expected')
  for (const one of batch.rejected)
    result.rejected.push({ ...one, beforeRow: one.beforeRow + result.rows.length })
  for (let i = 0; i < batch.rows.length; i++) {
    result.rows.push(batch.rows[i]!)
    result.places.push(batch.locate(i))
  }
}
