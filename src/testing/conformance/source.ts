/**
 * What every replayable source must do, as tests. Give a factory of a bounded source whose partitions do not change:
 *
 *     sourceConformance({ describe, test }, { name: 'my source', env, make: () => mySource('…') })
 */
import type { Env } from '../../base/env.ts'
import type { PartitionReader, Position, Source, SourceBatch } from '../../connectors/contract.ts'
import { type ConformanceHost, expectEqual, expectTrue } from './host.ts'

export interface SourceUnderTest {
  readonly name: string
  readonly env: Env
  readonly make: () => Source<unknown>
}

interface Seen {
  /** Rows and rejections in their order, as text. */
  readonly items: string[]
  /** Items before each position. */
  readonly counts: number[]
  readonly positions: Position[]
}

export function sourceConformance(host: ConformanceHost, source: SourceUnderTest): void {
  const open = () =>
    source.make().open({ env: source.env, name: 'input', fields: undefined, mode: 'batch' })
  host.describe(`source: ${source.name}`, () => {
    host.test('names the same partitions every time, each once', async () => {
      const handle = await open()
      const first = await handle.partitions()
      expectEqual(await handle.partitions(), first, 'second answer')
      expectEqual(new Set(first).size, first.length, 'different names')
      await handle.close()
      const again = await open()
      expectEqual(await again.partitions(), first, 'after opening it again')
      await again.close()
    })

    host.test('gives the same records in the same order every time, and ends', async () => {
      const handle = await open()
      for (const partition of await handle.partitions()) {
        const first = await readOut(await handle.reader(partition, undefined))
        const second = await readOut(await handle.reader(partition, undefined))
        expectEqual(second.items, first.items, `partition ${partition}`)
      }
      await handle.close()
    })

    host.test(
      'goes on at every position with exactly the rest, also in another handle',
      async () => {
        const handle = await open()
        const other = await open()
        for (const partition of await handle.partitions()) {
          const { items, counts, positions } = await readOut(
            await handle.reader(partition, undefined),
          )
          // Of many positions about twenty are tried, the first and last among them.
          const step = Math.max(1, Math.floor(positions.length / 20))
          for (
            let i = 0;
            i < positions.length;
            i = i === positions.length - 1 ? i + 1 : Math.min(i + step, positions.length - 1)
          ) {
            const rest = await readOut(await other.reader(partition, positions[i]!.slice()))
            expectEqual(
              rest.items,
              items.slice(counts[i]),
              `partition ${partition} from position ${i}`,
            )
          }
        }
        await handle.close()
        await other.close()
      },
    )

    host.test('keeps its position when it was not read, and stays at the end', async () => {
      const handle = await open()
      for (const partition of await handle.partitions()) {
        const reader = await handle.reader(partition, undefined)
        const start = reader.position()
        const { items } = await readOut(reader)
        expectEqual(await reader.read(), 'end', 'after the end')
        const again = await readOut(await handle.reader(partition, start))
        expectEqual(again.items, items, 'from the position before the first read')
        const atEnd = await readOut(await handle.reader(partition, reader.position()))
        expectEqual(atEnd.items, [], 'from the position at the end')
      }
      await handle.close()
    })
  })
}

const readsMax = 1_000_000

async function readOut(reader: PartitionReader<unknown>): Promise<Seen> {
  const seen: Seen = { items: [], counts: [], positions: [] }
  for (let i = 0; i < readsMax; i++) {
    const batch = reader.poll?.() ?? (await reader.read())
    if (batch === 'end') return seen
    if (batch === 'idle') await reader.wait(1)
    else collect(batch, seen)
    seen.counts.push(seen.items.length)
    seen.positions.push(reader.position())
  }
  throw new Error('the source does not end')
}

function collect(batch: SourceBatch<unknown>, { items }: Seen): void {
  if (batch.kind === 'frame') {
    for (let i = 0; i < batch.frame.length; i++)
      items.push(`${batch.locate(i)} ${asText(batch.frame.row(i))}`)
    return
  }
  let next = 0
  for (let i = 0; i <= batch.rows.length; i++) {
    for (; batch.rejected[next]?.beforeRow === i; next++)
      items.push(`rejected ${asText(batch.rejected[next])}`)
    if (i < batch.rows.length) items.push(`${batch.locate(i)} ${asText(batch.rows[i])}`)
  }
  expectTrue(next === batch.rejected.length, 'a rejection stands before a row that does not exist')
}

function asText(value: unknown): string {
  return JSON.stringify(value, (name, item: unknown) =>
    name === 'beforeRow' ? undefined : typeof item === 'bigint' ? `${item}n` : item,
  )
}
