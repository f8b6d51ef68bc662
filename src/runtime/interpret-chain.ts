/**
 * The chain as closures: the same meaning as `codegen/emit-chain.ts` for hosts that forbid code generation, and the
 * oracle that the generated chain is tested against. It may be slower; it may not differ.
 */
import type { Frame } from '../frame/frame.ts'
import { latestTimestamp, timestampMin } from '../base/time.ts'
import type { PlanNode } from '../graph/plan.ts'
import { twoPhaseStep } from '../graph/two-phase.ts'
import type { Emit } from '../operators/contract.ts'
import type { Key } from '../schema/types.ts'
import { addRow, slotOf } from '../window/accumulator-table.ts'
import { type AggregateKernel, undoesItself } from '../window/kernel.ts'
import {
  type Chain,
  type ChainOutput,
  type ChainParts,
  type ChainRoot,
  type ExchangeRoot,
  consumersOf,
  countAside,
  counterLayout,
  countersPerNode,
  countIn,
  countOut,
  edgeKey,
} from './chain.ts'
import { keyCheck } from './key-check.ts'
import { outputNames } from './outputs.ts'
import { rejectedRow, rejectedTime } from './rejected.ts'
import { type ExchangeEdge, isInFront } from './stages.ts'

export function interpretChain(parts: ChainParts): Chain {
  const { plan, counters, hooks } = parts
  const consumers = consumersOf(plan)
  const entries = new Map<number, Emit>()
  const layout = counterLayout(plan)
  /** Rows whose functions throw are left out of the job. */
  const drops = plan.options.onError.user !== 'fail'
  let at = -1

  const count = (id: number, which: number): void => {
    const index = id * countersPerNode + which
    counters[index] = (counters[index] ?? 0) + 1
  }
  /** Gives a row to every consumer of an output. */
  const { stages } = parts.exchanges
  /** Batch mode within one subtask: event-time steps collect. Across subtasks the exchanges do. */
  const collects = parts.batch && stages.exchanges.length === 0
  const feed = (id: number, output: string): Emit => {
    const targets = (consumers.get(edgeKey(id, output)) ?? []).map((node): Emit => {
      const edge = stages.inFrontOf({ node: id, output }, node.id)
      const across = edge && parts.exchanges.outputs.get(edge.id)
      if (across === undefined) return entry(node)
      return (row, t) => {
        // A sink tells the partition of a row by code of the user.
        if (node.kind === 'sink') at = node.id
        across.forward(row, t)
      }
    })
    return (row, t) => {
      for (const target of targets) target(row, t)
    }
  }
  const entry = (node: PlanNode): Emit => {
    let made = entries.get(node.id)
    if (made === undefined) {
      made = enter(node)
      entries.set(node.id, made)
    }
    return made
  }
  const attempt = (
    node: PlanNode,
    row: unknown,
    fn: () => unknown,
    lost: PlanNode = node,
  ): { readonly value: unknown } | undefined => {
    at = node.id
    if (!drops) return { value: fn() }
    try {
      return { value: fn() }
    } catch (error) {
      hooks.userError(node, row, error, lost)
      return undefined
    }
  }
  const enter = (node: PlanNode): Emit => {
    const id = node.id
    // The rows of a key-by go to steps that take a key, see below.
    const out = node.kind === 'key-by' ? () => {} : feed(id, 'out')
    switch (node.kind) {
      case 'map':
        return (row, t) => {
          const made = attempt(node, row, () => node.fn(row))
          if (made) out(made.value, t)
        }
      case 'filter':
        return (row, t) => {
          const made = attempt(node, row, () => node.fn(row))
          if (!made?.value) return
          count(id, countOut)
          out(row, t)
        }
      case 'flat-map':
        return (row, t) => {
          const made = attempt(node, row, () => node.fn(row))
          if (!made) return
          for (const item of made.value as Iterable<unknown>) {
            count(id, countOut)
            out(item, t)
          }
        }
      case 'try': {
        const rejected = feed(id, 'rejected')
        return (row, t) => {
          at = id
          let made: unknown
          try {
            made = node.fn(row)
          } catch (error) {
            if (!node.rejects) throw error
            count(id, countAside)
            rejected(rejectedRow(node.name, row, error, hooks.position?.()), t)
            return
          }
          count(id, countOut)
          out(made, t)
        }
      }
      case 'event-time':
        return eventTime(node, out)
      case 'union':
        return out
      case 'key-by': {
        const across = outputBehind(id)
        const steps = across === undefined ? keyedSteps(id) : []
        const step = twoPhaseStep(plan, id) ?? node
        const keyOf = keyOfRow(node, node.fn)
        return (row, t) => {
          const known = keyOf(row)
          if (known === undefined) return
          const { key } = known
          const local = across?.local
          if (local !== undefined) {
            at = step.id
            if (local.takes(t)) {
              if (!passes(local.kernel, step, row, node)) return
              const record = (): boolean => local.record(key, row, t)
              const undoes = undoesItself(local.kernel)
              const done = undoes ? attempt(step, row, record, node) : { value: record() }
              if (done === undefined || done.value === true) return
            }
            at = id
          }
          across?.send(key, row, t)
          for (const keyedStep of steps) keyedStep(key, row, t)
        }
      }
      case 'partition': {
        const across = outputBehind(id)
        const keyOf = node.fn && keyOfRow(node, node.fn)
        return (row, t) => {
          const known = keyOf?.(row)
          if (keyOf !== undefined && known === undefined) return
          if (across === undefined) return out(row, t)
          at = id
          if (known === undefined) across.forward(row, t)
          else across.send(known.key, row, t)
        }
      }
      case 'sink': {
        const sink = parts.sinks.get(id)
        return (row, t) => {
          at = id
          count(id, countIn)
          sink?.write(row, t)
        }
      }
      default:
        throw new TypeError(`a ${node.kind} step is fed by its key-by`)
    }
  }
  const outputBehind = (id: number): ChainOutput | undefined => {
    const edge = stages.behind(id)
    return edge && parts.exchanges.outputs.get(edge.id)
  }
  /** Calls a key function; one that throws or gives no key is a user error. */
  const keyOfRow = (
    node: PlanNode,
    fn: (row: unknown) => unknown,
  ): ((row: unknown) => { readonly key: Key } | undefined) => {
    const check = keyCheck(node)
    return (row) => {
      const made = attempt(node, row, () => {
        const key = fn(row)
        if (check(key) !== undefined) hooks.badKey(node, row, key)
        return key
      })
      return made && { key: made.value as Key } // checked
    }
  }
  /** Asks the functions of an aggregate before the row changes anything; false when the row is dropped. */
  const passes = (
    { check }: AggregateKernel,
    node: PlanNode,
    row: unknown,
    lost: PlanNode = node,
  ): boolean => {
    if (!drops || check === undefined) return true
    return attempt(node, row, () => check(row), lost) !== undefined
  }
  const eventTime = (node: PlanNode & { readonly kind: 'event-time' }, out: Emit): Emit => {
    const origin = parts.origins.get(node.id)
    const rejected = feed(node.id, 'rejected')
    const collected = collects ? parts.collected?.get(node.id) : undefined
    // A function that throws is a row without usable time, unless such a row stops the job anyway.
    const caught = node.rejects || (node.onError ?? plan.options.onError.time) !== 'fail'
    return (row, _) => {
      at = node.id
      const t = caught ? timeOrThrown(node.timestamp, row) : node.timestamp(row)
      const bound = origin?.bound ?? latestTimestamp + 1
      if (!(typeof t === 'number' && t > timestampMin && t < bound)) {
        if (!node.rejects) return hooks.badTime(node, row, t)
        count(node.id, countAside)
        return rejected(rejectedTime(node, row, t, hooks.position?.()), Number.NaN)
      }
      count(node.id, countOut)
      if (collected) {
        collected.rows.push(row)
        collected.times.push(t)
        return
      }
      out(row, t)
      if (origin === undefined) return
      const most = t > origin.max ? t : origin.max
      if (most - origin.lag >= origin.gate) origin.fireAt(most)
      else origin.max = most
    }
  }
  const keyedSteps = (id: number): ((key: Key, row: unknown, t: number) => void)[] =>
    (consumers.get(edgeKey(id, 'out')) ?? []).map((step) => keyed(step))
  const keyed = (node: PlanNode): ((key: Key, row: unknown, t: number) => void) => {
    const operator = parts.operators.get(node.id)
    const kernel = operator?.kernel
    if (!drops || operator === undefined || kernel?.check === undefined) {
      return (key, row, t) => {
        at = node.id
        count(node.id, countIn)
        operator?.record(key, row, t)
      }
    }
    return (key, row, t) => {
      at = node.id
      count(node.id, countIn)
      if (operator.takes?.(t) === false) return operator.tooLate?.(row, t)
      if (!passes(kernel, node, row)) return
      const { table } = operator
      if (table === undefined || !undoesItself(kernel)) return operator.record(key, row, t)
      const slot = slotOf(table, key)
      if (attempt(node, row, () => addRow(table, slot, row)) === undefined) return
      if (operator.afterAdd === true) operator.added?.(key, slot, t)
    }
  }

  const roots = new Map<number, ChainRoot>()
  const replay = new Map<number, Emit>()
  for (const node of plan.nodes) {
    if (node.kind === 'source') {
      const out = feed(node.id, 'out')
      const run = (read: (index: number) => unknown, from: number, to: number): void => {
        let index = from
        try {
          for (; index < to; index++) {
            if (hooks.row) hooks.row.index = index
            out(read(index), Number.NaN)
          }
        } catch (error) {
          hooks.failed(plan.nodes[at], error, index)
        }
        counters[node.id * countersPerNode + countOut]! += to - from
      }
      roots.set(node.id, {
        rows: (rows, from, to) => run((index) => rows[index], from, to),
        frame: (frame: Frame, from, to) =>
          run((index) => frame.layout.plain(frame, index), from, to),
        rejected: node.rejects ? counted(node, 'rejected') : undefined,
      })
    }
    const operator = parts.operators.get(node.id)
    if (operator)
      for (const output of outputNames(node)) operator.connect(output, counted(node, output))
    if (node.kind === 'event-time' && collects) replay.set(node.id, feed(node.id, 'out'))
  }
  function counted(node: PlanNode, output: string): Emit {
    const out = feed(node.id, output)
    const index = layout.output(node, output)
    return (row, t) => {
      counters[index] = (counters[index] ?? 0) + 1
      const was = hooks.row?.index ?? -1
      if (hooks.row) hooks.row.index = -1
      out(row, t)
      if (hooks.row) hooks.row.index = was
    }
  }
  const exchanges = new Map<number, ExchangeRoot>()
  for (const edge of stages.exchanges) exchanges.set(edge.id, behind(edge))
  function behind(edge: ExchangeEdge): ExchangeRoot {
    const { origin, collect, ranked } = parts.exchanges.inputs.get(edge.id) ?? { origin: undefined }
    const node = plan.nodes[edge.node]
    const steps = edge.kind === 'hash' ? keyedSteps(edge.node) : []
    const into =
      edge.kind === 'hash' || node === undefined
        ? undefined
        : isInFront(edge)
          ? entry(node)
          : feed(node.id, 'out')
    const deliver: ExchangeRoot['deliver'] = (key, row, t) => {
      into?.(row, t)
      // An exchange behind a `keyBy` carries the keys.
      for (const step of steps) step(key as Key, row, t)
    }
    const batch: ExchangeRoot['batch'] = ({ frame, rows, keys, times, marks }, from, to) => {
      let index = from
      try {
        for (; index < to; index++) {
          const row = frame === undefined ? rows?.[index] : frame.layout.plain(frame, index)
          const [key, t, mark] = [keys[index], times[index]!, marks[index]!]
          if (collect !== undefined) collect(key, row, t, mark)
          else {
            for (const output of ranked ?? []) output.rank = mark
            if (origin !== undefined && mark > origin.max) {
              if (mark >= origin.gate) origin.fireAt(mark)
              else origin.max = mark
            }
            deliver(key, row, t)
          }
        }
      } catch (error) {
        hooks.failed(plan.nodes[at], error, index)
      }
    }
    return { batch, deliver }
  }
  return { roots, replay, exchanges, current: () => plan.nodes[at] }
}

/** The time of a row, or what its function threw: both are unusable times for a step that rejects. */
function timeOrThrown(timestamp: (row: unknown) => unknown, row: unknown): unknown {
  try {
    return timestamp(row)
  } catch (error) {
    return error
  }
}
