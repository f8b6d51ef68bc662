/** `verify`: the same program in stream and in batch mode must give the same rows. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import type { Sink, SinkWriter } from '../connectors/contract.ts'
import { jsonLines } from '../connectors/file/json-lines.ts'
import { printJson } from '../connectors/text/json-print.ts'
import type { Plan, PlanNode, SourceNode } from '../graph/plan.ts'
import { createNodeEnv } from '../platform/node.ts'
import { describeJob } from '../runtime/describe.ts'
import { inlineHost } from '../runtime/inline-host.ts'
import { startJob } from '../runtime/job.ts'
import { testingErrors } from './errors.ts'
import { describeDifference } from './simulate/check.ts'
import { type App, planOf } from './simulate/user-job.ts'

export interface VerifyOptions {
  /** A file of JSON lines that is read instead of the job's source; by name of the source when there are several. */
  readonly input?: string | Readonly<Record<string, string>>
}

/**
 * Runs a bounded job in stream and in batch mode and compares what each sink got, whatever the order. Nothing is written
 * to the job's own sinks. Late rows differ by nature: batch mode has none.
 *
 * Errors: TM2113 with the first differences; TM2114 for wrong options.
 *
 * @example
 * ```ts
 * import { type Pipeline } from 'tidemill'
 * import { verify } from 'tidemill/testing'
 * declare const app: Pipeline
 * await verify(app, { input: 'fixtures/orders.jsonl' })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export async function verify(app: App, options: VerifyOptions = {}): Promise<void> {
  const env = createNodeEnv({ logLevel: 'error' })
  const scratch = await mkdtemp(join(tmpdir(), 'tidemill-verify-'))
  try {
    const batch = await rowsIn(
      'batch',
      env,
      withInput(planOf(app), options),
      join(scratch, 'batch'),
    )
    const stream = await rowsIn(
      'stream',
      env,
      withInput(planOf(app), options),
      join(scratch, 'stream'),
    )
    for (const [sink, expected] of batch) {
      const difference = describeDifference(expected, stream.get(sink) ?? [])
      if (difference === undefined) continue
      throw new TidemillError(testingErrors.unequalModes, {
        message: `sink "${sink}", stream compared with batch: ${difference}`,
        details: { operator: sink },
      })
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function withInput(plan: Plan, { input }: VerifyOptions): Plan {
  if (input === undefined) return plan
  const sources = plan.nodes.filter((node) => node.kind === 'source')
  const first = sources[0]
  if (typeof input === 'string' && (sources.length !== 1 || first === undefined)) {
    throw wrong(
      `the job has ${sources.length} sources; say which file is for which: { input: { name: 'file.jsonl' } }`,
    )
  }
  const files = typeof input === 'string' ? { [first?.name ?? '']: input } : input
  const stranger = Object.keys(files).find(
    (name) => !sources.some((source) => source.name === name),
  )
  if (stranger !== undefined) throw wrong(`the job has no source "${stranger}"`)
  return {
    ...plan,
    nodes: plan.nodes.map((node) => (node.kind === 'source' ? fed(node, files[node.name]) : node)),
  }
}

function fed(node: SourceNode, file: string | undefined): PlanNode {
  return file === undefined
    ? node
    : { ...node, source: jsonLines<unknown>(file, node.source.schema) }
}

async function rowsIn(
  mode: 'stream' | 'batch',
  env: Env,
  plan: Plan,
  stateDirectory: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = new Map<string, string[]>()
  const nodes = plan.nodes.map((node) => {
    if (node.kind !== 'sink') return node
    const into: string[] = []
    rows.set(node.name, into)
    return { ...node, sink: collector(into) }
  })
  const collecting: Plan = { ...plan, nodes }
  const job = startJob({
    env,
    job: plan.job,
    description: describeJob(plan, {}),
    host: inlineHost(env, collecting),
    mode,
    stateDirectory,
    intervalMs: 1_000,
    acceptParameters: false,
    subtasks: 1,
    attemptsMax: 1,
  })
  await job.outcome
  return rows
}

/** Keeps rows in memory: there is one life, so nothing can be repeated. */
function collector(into: string[]): Sink<unknown> {
  const writer: SinkWriter<unknown> = {
    write: (row) => {
      into.push(printJson(row, { bigint: 'text', nonFinite: 'null' }))
    },
    full: false,
    flush: () => Promise.resolve(),
    prepare: () => Promise.resolve(new Uint8Array(0)),
    commit: () => Promise.resolve(),
    recover: () => Promise.resolve(),
    counts: () => ({ received: into.length, skipped: 0, deadLettered: 0 }),
    close: () => Promise.resolve(),
  }
  return {
    role: 'sink',
    connector: 'verify',
    describe: {},
    guarantee: 'transactional',
    open: () => Promise.resolve(writer),
  }
}

function wrong(message: string): TidemillError {
  return new TidemillError(testingErrors.simulationUse, { message })
}
