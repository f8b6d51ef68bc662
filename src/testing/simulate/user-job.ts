/**
 * Makes a user's program fit for the simulated machine: its files are those of the simulated disk, and what it writes
 * to other places is written to result files there, exactly once, so that it can be compared.
 */
import { TidemillError } from '../../base/errors.ts'
import { fileSink } from '../../connectors/file-sink/file-sink.ts'
import type { Plan, SinkNode } from '../../graph/plan.ts'
import type { Pipeline } from '../../stream/pipeline.ts'
import { testingErrors } from '../errors.ts'
import { guardedPlan, type UserCodeGuard } from '../guard.ts'
import type { OutputDirectory, OutputFile } from './observer.ts'

/** A program, or a function that makes it anew: then nothing that its functions remember outlives a crash. */
export type App = Pipeline | (() => Pipeline)

const elsewhere = '/simulated-output'

export function planOf(app: App): Plan {
  const pipeline = typeof app === 'function' ? app() : app
  if (typeof pipeline?.plan !== 'function') {
    throw new TidemillError(testingErrors.simulationUse, {
      message: 'expected a pipeline, or a function that returns a new one',
    })
  }
  return pipeline.plan()
}

export function simulatedPlan(plan: Plan, guard: UserCodeGuard): Plan {
  const nodes = plan.nodes.map((node) =>
    node.kind !== 'sink' || isFileSink(node)
      ? node
      : {
          ...node,
          sink: fileSink<unknown>({ directory: elsewhere, bigint: 'text', nonFinite: 'null' }),
        },
  )
  return guardedPlan({ ...plan, nodes }, guard)
}

export function outputsOf(plan: Plan): OutputDirectory[] {
  return plan.nodes.flatMap((node) => {
    if (node.kind !== 'sink') return []
    const { directory, format } = isFileSink(node)
      ? node.sink.describe
      : { directory: elsewhere, format: 'jsonl' }
    const path = `/${String(directory)
      .replace(/^(\.?\/)+/, '')
      .replace(/\/+$/, '')}/${node.name}`
    return [{ sink: node.name, directory: path, extension: `.${String(format)}` }]
  })
}

/** Rows of each sink, in the order of the files' names. */
export function rowsOf(
  outputs: ReadonlyMap<string, readonly OutputFile[]>,
): ReadonlyMap<string, readonly string[]> {
  const rows = new Map<string, readonly string[]>()
  for (const [sink, files] of outputs) {
    rows.set(
      sink,
      files.flatMap(({ text }) => text.split('\n').filter((line) => line !== '')),
    )
  }
  return rows
}

function isFileSink(node: SinkNode): boolean {
  return node.sink.connector === 'fileSink'
}
