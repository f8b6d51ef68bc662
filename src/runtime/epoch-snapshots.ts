/**
 * The checkpoints of one subtask. For one epoch at a time:
 *
 *  1. the request comes; a data object is begun;
 *  2. a barrier passes each stage - the first one at once, the others when all their channels have brought it. The cut of
 *     a stage is one moment: its steps flush, its sinks cut, its counts are kept, its state is frozen, the barrier goes on;
 *  3. between batches the frozen state is written, a slice at a time;
 *  4. when every stage is cut, all is written and the sinks have prepared, the subtask reports `prepared`;
 *  5. `commit` shows what was prepared; `abort` drops the picture, and what sinks prepared belongs to the next epoch.
 */
import type { Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import type { BufferPool } from '../checkpoint/buffer-pool.ts'
import { createDataObjectWriter, type DataObjectWriter } from '../checkpoint/data-writer.ts'
import type { SourcePosition, StoredWatermark } from '../checkpoint/manifest.ts'
import type { ReportedError, SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import type { CheckpointStorage } from '../checkpoint/storage.ts'
import type { FrozenState } from '../state/contract.ts'
import { runtimeErrors } from './errors.ts'
import type { FailurePolicies } from './failures.ts'
import type { LedgerCounter } from './ledger-counter.ts'
import { lettersStage, type SinkEpochs } from './sink-epochs.ts'
import type { Stage } from './stage.ts'

export type CheckpointMessage = SubtaskMessage & { readonly kind: 'checkpoint' }

export interface EpochSnapshotsOptions {
  readonly env: Env
  readonly job: string
  readonly subtask: number
  readonly storage: CheckpointStorage
  readonly pool: BufferPool
  readonly stages: readonly Stage[]
  readonly sinks: SinkEpochs
  readonly ledger: LedgerCounter
  readonly policies: FailurePolicies
  /** Batch mode: rows that were read and that no step has seen. */
  readonly collected: () => number
  readonly positions: () => readonly SourcePosition[]
  readonly committed: (positions: readonly SourcePosition[]) => Promise<void>
  readonly report: (report: SubtaskReport) => void
  /** A step has thrown while it flushed; throws. */
  readonly stepFailed: (error: unknown) => void
  /** A sink could not prepare. */
  readonly broken: (error: unknown) => void
  readonly signal: () => void
}

/** Work on the picture of one epoch. */
interface Picture {
  readonly epoch: number
  readonly writer: DataObjectWriter
  readonly frozen: { readonly operator: string; readonly state: FrozenState }[]
  readonly prepared: Promise<void>[]
  readonly watermarks: StoredWatermark[]
  positions: readonly SourcePosition[]
  /** Stages that the barrier has not passed. */
  left: number
  ledger: ReturnType<LedgerCounter['ledger']> | undefined
  finishing: boolean
}

/** State written per turn of the loop while a snapshot runs: about half a millisecond of work. */
const sliceBytes = 256 * 1024

export class EpochSnapshots {
  readonly #options: EpochSnapshotsOptions
  readonly #env: Env
  #requested: CheckpointMessage | undefined
  #picture: Picture | undefined
  /** Barriers up to this epoch mean nothing any more. */
  #over = 0
  /** Reported and not yet committed, ascending. */
  #acknowledged: { readonly epoch: number; readonly positions: readonly SourcePosition[] }[] = []
  #stopped = false

  constructor(options: EpochSnapshotsOptions) {
    this.#options = options
    this.#env = options.env
  }

  receive(message: SubtaskMessage): void {
    if (message.kind === 'checkpoint') this.#requested = message
    else if (message.kind === 'abort') this.#abandon(message.epoch)
    else this.#commit(message.epoch)
  }

  /** Nothing is reported any more. */
  stop(): void {
    this.#stopped = true
  }

  /** The request that waits for its start. */
  get requested(): CheckpointMessage | undefined {
    return this.#picture === undefined ? this.#requested : undefined
  }

  /** Frozen state waits to be written. */
  get working(): boolean {
    const picture = this.#picture
    return (
      picture !== undefined &&
      !picture.finishing &&
      (picture.frozen.length > 0 || picture.left === 0)
    )
  }

  get running(): boolean {
    return this.#picture !== undefined
  }

  /** Starts the requested epoch: the barrier enters at the sources. */
  async start(): Promise<void> {
    const { env, report, subtask, job, storage, pool, stages } = this.#options
    const message = this.#requested
    if (message === undefined) return
    this.#requested = undefined
    const { epoch, generation } = message
    const identity = { job, generation, epoch, subtask }
    let writer: DataObjectWriter
    try {
      writer = await createDataObjectWriter({ host: env.host, storage, identity, pool })
    } catch (error) {
      this.#over = epoch
      report({ kind: 'prepare-failed', subtask, epoch, error: reported(error) })
      return
    }
    if (epoch <= this.#over) {
      this.#drop(writer)
      return
    }
    this.#picture = {
      epoch,
      writer,
      frozen: [],
      prepared: [],
      watermarks: [],
      positions: [],
      left: stages.length,
      ledger: undefined,
      finishing: false,
    }
    env.host.crashPoint('source.barrier')
    const [first] = stages
    if (first !== undefined) this.#cut(first, this.#picture)
  }

  /** The channels of a stage have all brought the barrier of `epoch`. */
  aligned(stage: Stage, epoch: number): void {
    const picture = this.#picture
    if (picture?.epoch === epoch) this.#cut(stage, picture)
    stage.passed(epoch)
  }

  /** A barrier of an attempt that was given up, or that never began here. */
  isOver(epoch: number): boolean {
    return epoch <= this.#over
  }

  #cut(stage: Stage, picture: Picture): void {
    const { env, ledger, policies, positions } = this.#options
    if (this.#options.collected() > 0) {
      this.#fail(picture, new TidemillError(runtimeErrors.batchIncomplete))
      return
    }
    try {
      for (const operator of stage.operators) operator.flushEpoch()
    } catch (error) {
      this.#options.stepFailed(error)
    }
    env.host.crashPoint('op.barrier.first')
    picture.prepared.push(this.#prepare(picture.epoch, stage.id))
    if (stage.id === 0) picture.positions = positions()
    for (const origin of stage.origins) picture.watermarks.push(...origin.storedWatermarks())
    for (const operator of stage.operators)
      picture.frozen.push({ operator: operator.name, state: operator.freeze() })
    ledger.cut(stage.id)
    for (const output of stage.outputs) output.barrier(picture.epoch)
    picture.left--
    if (picture.left > 0) policies.hold(stage.id)
    else {
      picture.prepared.push(this.#prepare(picture.epoch, lettersStage))
      policies.release()
      picture.ledger = ledger.ledger()
    }
    env.host.crashPoint('op.freeze')
  }

  #prepare(epoch: number, stage: number): Promise<void> {
    const prepared = this.#options.sinks.prepare(epoch, stage)
    // The attempt cannot simply be repeated: the rows are with a sink that refuses to go on.
    prepared.catch((error: unknown) => {
      this.#options.broken(error)
      this.#options.signal()
    })
    return prepared
  }

  /** Writes some of the frozen state; starts the end of the snapshot when all is written. */
  async continue(): Promise<void> {
    const picture = this.#picture
    if (picture === undefined || picture.finishing) return
    try {
      const current = picture.frozen[0]
      if (current !== undefined) {
        const blocks = current.state.next(sliceBytes)
        if (blocks === undefined) picture.frozen.shift()
        else
          for (const block of blocks) {
            picture.writer.append(current.operator, block)
            if (picture.writer.full) await picture.writer.drain()
          }
        this.#env.host.crashPoint('op.slice.write')
        return
      }
    } catch (error) {
      this.#fail(picture, error)
      return
    }
    if (picture.left > 0) return
    picture.finishing = true
    this.#finish(picture).catch((error: unknown) => this.#fail(picture, error))
  }

  async #finish(picture: Picture): Promise<void> {
    const { report, subtask, sinks, signal } = this.#options
    const object = await picture.writer.finish()
    for (const prepared of picture.prepared) await prepared
    if (this.#picture !== picture || picture.ledger === undefined) return
    this.#picture = undefined
    const { epoch, positions, watermarks, ledger } = picture
    this.#acknowledged.push({ epoch, positions })
    this.#env.host.crashPoint('op.ack')
    report({
      kind: 'prepared',
      ack: {
        epoch,
        subtask,
        object,
        positions,
        watermarks,
        sinks: sinks.preparations(),
        random: new Uint8Array(0),
        ledger,
      },
    })
    signal()
  }

  #fail(picture: Picture, error: unknown): void {
    if (this.#picture !== picture) return
    const { report, subtask } = this.#options
    this.#abandon(picture.epoch)
    report({ kind: 'prepare-failed', subtask, epoch: picture.epoch, error: reported(error) })
  }

  #abandon(epoch: number): void {
    this.#over = Math.max(this.#over, epoch)
    if (this.#requested !== undefined && this.#requested.epoch <= epoch) this.#requested = undefined
    for (const stage of this.#options.stages) stage.passed(epoch)
    const picture = this.#picture
    if (picture === undefined || picture.epoch !== epoch) return
    this.#picture = undefined
    for (const { state } of picture.frozen) state.abandon()
    this.#options.policies.release()
    this.#drop(picture.writer)
  }

  #drop(writer: DataObjectWriter): void {
    writer.abort().catch((error: unknown) => {
      this.#env.host.log('warn', 'an abandoned snapshot could not be removed', {
        error: String(error),
      })
    })
  }

  #commit(epoch: number): void {
    const { subtask, sinks, report, broken, signal } = this.#options
    sinks
      .commit(epoch)
      .then(
        async () => {
          await this.#tellCommitted(epoch)
          if (!this.#stopped) report({ kind: 'committed', subtask, epoch })
        },
        (error: unknown) => {
          if (!this.#stopped)
            report({ kind: 'commit-failed', subtask, epoch, error: reported(error) })
        },
      )
      .catch((error: unknown) => {
        broken(error)
        signal()
      })
  }

  /** Sources may let go of what lies before the positions of a committed epoch. */
  async #tellCommitted(epoch: number): Promise<void> {
    const committed = this.#acknowledged.filter((a) => a.epoch <= epoch).at(-1)
    this.#acknowledged = this.#acknowledged.filter((a) => a.epoch > epoch)
    if (committed !== undefined) await this.#options.committed(committed.positions)
  }
}

function reported(error: unknown): ReportedError {
  if (isTidemillError(error)) return { message: error.message, code: error.code }
  return { message: error instanceof Error ? error.message : String(error) }
}
