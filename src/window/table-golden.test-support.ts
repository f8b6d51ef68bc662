/** The table of the samples in `test/golden/tables`: every form of keys, a distinct set, a custom value. */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import type { KeyGroupRange } from '../state/contract.ts'
import { AccumulatorTable } from './accumulator-table.ts'
import { aggregateKernel } from './kernel.ts'

interface Row {
  readonly v: number
}

const of = (row: never): number => (row as Row).v

const spec: AggregateSpec = {
  n: { kind: 'count', where: undefined },
  total: { kind: 'sum', of, where: undefined },
  kinds: {
    kind: 'count-distinct',
    of: (row: never) => `kind ${(row as Row).v % 3}`,
    where: undefined,
  },
  last: {
    kind: 'custom',
    label: 'last',
    create: () => undefined,
    add: (_: never, row: never) => `at ${(row as Row).v}` as never,
    merge: (_: never, other: never) => other,
    result: (last: never) => last,
    accumulator: undefined,
    decomposable: false,
  },
}

export const goldenRange: KeyGroupRange = { first: 0, end: 4, total: 4 }
export const goldenHeader: readonly number[] = [1_000, Number.NEGATIVE_INFINITY]

const integers: readonly Key[] = [5, -7, 0, 2 ** 31 - 1, 12]
const doubles: readonly Key[] = [1, 2.5, -(2 ** 40), 3]
const others: readonly Key[] = ['text', 4, [1, 'é'], true, 7n]

/** By namespace, as windows keep one table per pane. */
export function goldenTables(): ReadonlyMap<number, AccumulatorTable> {
  const kernel = aggregateKernel(spec, false)
  return new Map(
    [integers, doubles, others].map((keys, i) => {
      const table = new AccumulatorTable(kernel)
      for (const [v, key] of [...keys, ...keys.slice(1, 3)].entries()) {
        const slot = table.slot(key)
        const { stride, objects } = kernel
        kernel.add(table.words, slot * stride, table.objects, slot * objects, table.sets, slot, {
          v,
        })
      }
      return [i * 1_000, table]
    }),
  )
}

/** Results in the order in which they leave. */
export function contentOf(table: AccumulatorTable | undefined): readonly unknown[] {
  if (table === undefined) return []
  const { stride, objects, result } = table.kernel
  return Array.from({ length: table.size }, (_, slot) =>
    result(table.words, slot * stride, table.objects, slot * objects, table.keyAt(slot), undefined),
  )
}
