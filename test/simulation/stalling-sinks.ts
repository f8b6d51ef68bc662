/** Sinks that are full again and again and take their time: rows pile up on the way to them, and barriers behind those. */
import type { Random } from '../../src/base/env.ts'
import type { Sink } from '../../src/connectors/contract.ts'
import type { Plan } from '../../src/graph/plan.ts'

interface Stall {
  /** Rows after which a sink is full. */
  readonly rows: number
  /** Virtual time until it has room again. */
  readonly ms: number
}

/** The same plan; some of its sinks stall. What they were given is in their preparations all the same. */
export function withStallingSinks(plan: Plan, random: Random): Plan {
  const nodes = plan.nodes.map((node) => {
    if (node.kind !== 'sink' || random.float() < 0.4) return node
    const stall = { rows: 1 + (random.u32() % 4), ms: 5 + (random.u32() % 60) }
    return { ...node, sink: stalling(node.sink, stall) }
  })
  return { ...plan, nodes }
}

function stalling(sink: Sink<unknown>, stall: Stall): Sink<unknown> {
  return {
    ...sink,
    async open(context) {
      const writer = await sink.open(context)
      let waiting = 0
      return {
        write(row, timestampMs) {
          writer.write(row, timestampMs)
          waiting++
        },
        get full() {
          return writer.full || waiting >= stall.rows
        },
        async flush() {
          await context.env.clock.sleep(stall.ms)
          await writer.flush()
          waiting = 0
        },
        prepare: (epoch) => writer.prepare(epoch),
        commit: (epoch, prepared) => writer.commit(epoch, prepared),
        recover: (committed) => writer.recover(committed),
        counts: () => writer.counts(),
        close: () => writer.close(),
      }
    },
  }
}
