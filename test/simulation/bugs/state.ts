/** Mistakes with state, timers, watermarks and counts. */
import { ProcessOperator } from '../../../src/operators/process.ts'
import { EventTimeOrigin } from '../../../src/runtime/event-time.ts'
import type { FrozenState, SnapshotBlock } from '../../../src/state/contract.ts'
import { PaneWindowOperator } from '../../../src/window/pane-window.ts'
import { SessionWindowOperator } from '../../../src/window/session-window.ts'
import { onMethod, onNodes, type PlantedBug } from './support.ts'

/** Restores only blocks that pass. */
function onlyBlocks(keep: (block: SnapshotBlock) => boolean): PlantedBug['plant'] {
  return onMethod(
    ProcessOperator.prototype,
    'restore',
    (original) =>
      function restore(this: ProcessOperator, block: SnapshotBlock) {
        if (keep(block)) original.call(this, block)
      },
  )
}

export const stateBugs: readonly PlantedBug[] = [
  {
    name: 'timers sleep after a restore',
    job: 'visits',
    budget: 100,
    plant: onMethod(ProcessOperator.prototype, 'finishRestore', () => () => {}),
  },
  {
    name: 'some key groups are not restored',
    job: 'accounts',
    budget: 60,
    plant: onlyBlocks(({ keyGroup }) => keyGroup % 5 !== 2),
  },
  {
    name: 'the watermark goes back on restore',
    job: 'sales',
    budget: 100,
    plant: onMethod(EventTimeOrigin.prototype, 'restoreWatermarks', () => () => {}),
  },
  {
    name: 'a snapshot sees writes made after its barrier',
    job: 'accounts',
    budget: 200,
    plant: onMethod(
      ProcessOperator.prototype,
      'freeze',
      (original) =>
        function freeze(this: ProcessOperator): FrozenState {
          let frozen: FrozenState | undefined
          let calls = 0
          return {
            next: (budgetBytes) => {
              if (++calls < 4) return []
              frozen ??= original.call(this)
              return frozen.next(budgetBytes)
            },
            abandon: () => frozen?.abandon(),
          }
        },
    ),
  },
  {
    name: 'a session forgets its records on restore',
    job: 'sales',
    budget: 60,
    plant: onMethod(SessionWindowOperator.prototype, 'restore', () => () => {}),
  },
  {
    name: 'late records are not counted',
    job: 'sales',
    budget: 30,
    plant: onMethod(
      PaneWindowOperator.prototype,
      'counts',
      (original) =>
        function counts(this: PaneWindowOperator) {
          return { ...original.call(this), late: 0 }
        },
    ),
  },
  {
    name: 'a record that fails keeps what it wrote',
    job: 'visits',
    budget: 20,
    plant: onNodes((node) => {
      if (node.kind !== 'process') return node
      const { onRecord } = node.definition
      return {
        ...node,
        definition: {
          ...node.definition,
          onRecord(row, context) {
            try {
              onRecord(row, context)
            } catch {
              // The step believes that all went well.
            }
          },
        },
      }
    }),
  },
  {
    name: 'a timer fires twice after a restore',
    job: 'visits',
    budget: 60,
    plant: () => {
      let lives = 0
      return {
        plan(plan) {
          const restored = ++lives > 1
          const nodes = plan.nodes.map((node) => {
            if (node.kind !== 'process' || !restored) return node
            const onTimer = Object.fromEntries(
              Object.entries(node.definition.onTimer).map(([name, fn]) => [name, twice(fn)]),
            )
            return { ...node, definition: { ...node.definition, onTimer } }
          })
          return { ...plan, nodes }
        },
      }
    },
  },
]

function twice<Argument>(fn: (argument: Argument) => void): (argument: Argument) => void {
  return (argument) => {
    fn(argument)
    fn(argument)
  }
}
