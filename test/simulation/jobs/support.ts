/** What simulated jobs share: how they are made, a source with a pace, and comparison with a model's output. */
import type { Random } from '../../../src/base/env.ts'
import type { PartitionReader, Source } from '../../../src/connectors/contract.ts'
import type { OutputFile } from '../../../src/testing/simulate/observer.ts'
import type { JobUnderTest } from '../../../src/testing/simulate/run-seed.ts'
import type { Violation } from '../../../src/testing/simulate/violation.ts'
import type { WorldSizes } from '../../../src/testing/world/profile.ts'

export interface JobSizes {
  /** For the input; every job has its own stream. */
  readonly random: Random
  readonly sizes: WorldSizes
  /** Virtual time between two batches of a source. */
  readonly paceMs: number
  readonly intervalMs: number
}

export type JobMaker = (options: JobSizes) => JobUnderTest

export const words = [
  'to',
  'be',
  'or',
  'not',
  'that',
  'is',
  'the',
  'question',
  'whether',
  'nobler',
  'mind',
  'suffer',
] as const

/** The same rows, later: so that time passes and epochs divide the input. */
export function paced<Row>(source: Source<Row>, paceMs: number): Source<Row> {
  if (paceMs === 0) return source
  return {
    ...source,
    async open(context) {
      const handle = await source.open(context)
      return {
        ...handle,
        partitions: () => handle.partitions(),
        close: () => handle.close(),
        async reader(partition, position): Promise<PartitionReader<Row>> {
          const reader = await handle.reader(partition, position)
          return {
            async read() {
              await context.env.clock.sleep(paceMs)
              return reader.read()
            },
            wait: (maxMs) => reader.wait(maxMs),
            position: () => reader.position(),
            close: () => reader.close(),
          }
        },
      }
    },
  }
}

export function linesOf(
  outputs: ReadonlyMap<string, readonly OutputFile[]>,
  sink: string,
): string[] {
  return (outputs.get(sink) ?? []).flatMap(({ text }) =>
    text.split('\n').filter((line) => line !== ''),
  )
}

/** Each expected line exactly once, in any order (O01, O02). */
export function compareLines(
  sink: string,
  outputs: ReadonlyMap<string, readonly OutputFile[]>,
  expected: readonly string[],
): Violation | undefined {
  return compareTexts(sink, linesOf(outputs, sink), expected)
}

/** The same of lines that are not all a sink has written. */
export function compareTexts(
  sink: string,
  found: readonly string[],
  expected: readonly string[],
): Violation | undefined {
  const left = new Map<string, number>()
  for (const line of expected) left.set(line, (left.get(line) ?? 0) + 1)
  for (const line of found) left.set(line, (left.get(line) ?? 0) - 1)
  const lost = [...left].filter(([, count]) => count > 0)
  const extra = [...left].filter(([, count]) => count < 0)
  if (lost.length === 0 && extra.length === 0) return undefined
  const some = (entries: readonly (readonly [string, number])[]): string =>
    entries
      .slice(0, 5)
      .map(([line, count]) => `${Math.abs(count)} x ${line}`)
      .join(', ')
  return {
    oracle: 'O01',
    title: 'the output differs from the model',
    message: `sink "${sink}": ${lost.length} lines missing (${some(lost)}), ${extra.length} unexpected (${some(extra)})`,
  }
}
