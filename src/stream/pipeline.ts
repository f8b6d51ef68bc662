/**
 * The start of every program. A pipeline collects steps and hands the finished plan to whoever runs plans: the executor
 * that the package's entry point passes in, or the host that loaded the module and takes the plan away.
 */
import { TidemillError } from '../base/errors.ts'
import type { Source } from '../connectors/contract.ts'
import { PlanBuilder, type PlanSettings } from '../graph/builder.ts'
import type { Job, JobExecutor, JobResult, RunOptions, StartOptions } from '../graph/executor.ts'
import { currentHost } from '../graph/host.ts'
import type { Plan } from '../graph/plan.ts'
import { typeName, wrongArgument } from './arguments.ts'
import { streamErrors } from './errors.ts'
import { rejectingOf, streamOf } from './steps.ts'
import type { Stream, WithRejected } from './types.ts'

/**
 * One job: its sources, and the means to run it.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Pipeline {
  readonly name: string
  /**
   * The records of a source. `name` is where its positions are kept. Records that do not decode follow the job's
   * `onError.decode`; use {@link tryFrom} to take them instead.
   *
   * Errors: TM1300 to TM1303 for the name, TM1351 when `source` is not one.
   */
  from<Row>(name: string, source: Source<Row>): Stream<Row>
  /** The records of a source, and those that did not decode as `rejected`: the text or bytes, where, and why. */
  tryFrom<Row>(name: string, source: Source<Row>): WithRejected<Row, string | Uint8Array, 'untimed'>
  /** The plan so far: checked, frozen, without running anything. Errors: TM1300 to TM1314. */
  plan(): Plan
  /** Runs the job until its input ends or it is stopped. Rejects with a coded error when it fails. */
  run(options?: RunOptions): Promise<JobResult>
  /** Starts the job and resolves as soon as it runs. Dispose the result, or call its `stop`. */
  start(options?: StartOptions): Promise<Job>
}

/** What a program may say about the job as a whole. */
export interface PipelineOptions extends PlanSettings {
  /**
   * The upper bound of parallelism for the life of the job's state, a power of two. Default 128. More groups cost a
   * little memory each; changing the number later means starting with empty state.
   */
  readonly maxParallelism?: number
}

/** A function that begins pipelines which run on `executor`. Without one they can be planned but not run: TM1358. */
export function pipelineOn(
  executor: JobExecutor | undefined,
): (name: string, options?: PipelineOptions) => Pipeline {
  return (name, options = {}) => new StepPipeline(new PlanBuilder(name, options), executor)
}

class StepPipeline implements Pipeline {
  readonly #builder: PlanBuilder
  readonly #executor: JobExecutor | undefined

  constructor(builder: PlanBuilder, executor: JobExecutor | undefined) {
    this.#builder = builder
    this.#executor = executor
  }

  get name(): string {
    return this.#builder.job
  }

  from<Row>(name: string, source: Source<Row>): Stream<Row> {
    return streamOf<Row, 'untimed'>(
      this.#builder,
      this.#addSource(name, source, false),
      'out',
      'untimed',
    )
  }

  tryFrom<Row>(
    name: string,
    source: Source<Row>,
  ): WithRejected<Row, string | Uint8Array, 'untimed'> {
    return rejectingOf(this.#builder, this.#addSource(name, source, true), 'untimed')
  }

  plan(): Plan {
    return this.#builder.finish()
  }

  async run(options: RunOptions = {}): Promise<JobResult> {
    const plan = this.plan()
    const capture = currentHost()?.capture
    if (capture !== undefined) return captured(capture, plan, options)
    return this.#runner().run(plan, options)
  }

  async start(options: StartOptions = {}): Promise<Job> {
    const plan = this.plan()
    const capture = currentHost()?.capture
    if (capture !== undefined) return captured(capture, plan, options)
    return this.#runner().start(plan, options)
  }

  #addSource(name: string, source: Source<unknown>, rejects: boolean): number {
    if (source?.role !== 'source') {
      throw wrongArgument(
        `from ${JSON.stringify(name)} got ${typeName(source)}, expected a source such as lines('file.txt')`,
      )
    }
    return this.#builder.add({
      kind: 'source',
      name,
      inputs: [],
      schema: source.schema,
      source,
      rejects,
      onError: undefined,
    })
  }

  #runner(): JobExecutor {
    if (this.#executor === undefined) {
      throw new TidemillError(streamErrors.noExecutor, {
        message: `pipeline ${JSON.stringify(this.name)}`,
      })
    }
    return this.#executor
  }
}

/** Hands the plan over and never settles: what follows in the module is not meant to run in a worker. */
function captured(
  capture: (plan: Plan, options: StartOptions) => void,
  plan: Plan,
  options: StartOptions,
): Promise<never> {
  capture(plan, options)
  return new Promise<never>(() => {})
}
