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
  /** Batches that came as frames. */
  frames: number
}

export interface ReadOptions {
  readonly env?: Env
  readonly partition?: PartitionId
  readonly from?: Position
  /** Opens a new reader at the position after every batch. */
  readonly restart?: boolean
  readonly fields?: readonly string[]
  readonly mode?: 'stream' | 'batch'
}

export async function readAll<Out>(
  source: Source<Out>,
  options: ReadOptions = {},
): Promise<ReadResult<Out>> {
  const { env = nodeEnv, restart = false, mode = 'batch', fields } = options
  const handle = await source.open({ env, name: 'input', fields, mode })
  const result: ReadResult<Out> = { rows: [], places: [], rejected: [], positions: [], frames: 0 }
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
  if (batch.kind === 'frame') {
    result.frames++
    for (let i = 0; i < batch.frame.length; i++) {
      result.rows.push(batch.frame.row(i) as Out)
      result.places.push(batch.locate(i))
    }
    return
  }
  for (const one of batch.rejected)
    result.rejected.push({ ...one, beforeRow: one.beforeRow + result.rows.length })
  for (let i = 0; i < batch.rows.length; i++) {
    result.rows.push(batch.rows[i]!)
    result.places.push(batch.locate(i))
  }
}
