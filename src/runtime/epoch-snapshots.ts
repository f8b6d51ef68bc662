/**
 * The checkpoints of one subtask. For one epoch at a time:
 *
 *  1. the request comes; a data object is begun;
 *  2. a barrier passes each stage - the first one at once, the others when all their channels have brought it. The cut of
 *     a stage is one moment: its steps flush, its sinks cut, its counts are kept, its state is frozen, the barrier goes on;
 *  3. a stage that a barrier has not passed in time is cut where it is, and what comes before its barriers is stored;
 *  4. between batches the frozen state is written, a slice at a time;
 *  5. when every stage is cut, all is written and the sinks have prepared, the subtask reports `prepared`;
 *  6. `commit` shows what was prepared; `abort` drops the picture, and what sinks prepared belongs to the next epoch.
 */
import type { Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import type { BufferPool } from '../checkpoint/buffer-pool.ts'
import { StateChains } from '../checkpoint/chains.ts'
import { createDataObjectWriter, type DataObjectWriter } from '../checkpoint/data-writer.ts'
import { inFlightBlock } from '../checkpoint/in-flight.ts'
import type { SourcePosition, StoredChannel, StoredWatermark } from '../checkpoint/manifest.ts'
import type { ReportedError, SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import type { CheckpointStorage } from '../checkpoint/storage.ts'
import type { FrozenState } from '../state/contract.ts'
import type { CapturedMessage, ChannelInput } from './channel-input.ts'
import { runtimeErrors } from './errors.ts'
import type { FailurePolicies } from './failures.ts'
import type { LedgerCounter } from './ledger-counter.ts'
import { rowsLeft, storedMessage } from './rows-in-flight.ts'
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
  /** Event time of a stage. */
  readonly watermarks: (stage: Stage) => readonly StoredWatermark[]
  /** Where a stage stands on its channels. */
  readonly channels: (stage: Stage) => readonly StoredChannel[]
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
  readonly channels: StoredChannel[]
  positions: readonly SourcePosition[]
  /** Stages that the barrier has not passed, ascending. */
  readonly uncut: Set<Stage>
  /** When they are cut all the same. */
  readonly captureAtMs: number
  /** Channels to stages that were, whose barrier has not come. */
  readonly captures: Set<ChannelInput>
  /** What has come by the others and waits to be written. */
  readonly captured: { readonly input: ChannelInput; readonly message: CapturedMessage }[]
  /** Rows in flight, by exchange; undefined when every stage was aligned. */
  inFlight: Map<number, number> | undefined
  finishing: boolean
}

/** State written per turn of the loop while a snapshot runs: about half a millisecond of work. */
const sliceBytes = 256 * 1024
/** Messages in flight written per turn: up to 256 rows each. */
const messagesPerTurn = 16

export class EpochSnapshots {
  readonly #options: EpochSnapshotsOptions
  readonly #env: Env
  #requested: CheckpointMessage | undefined
  #requestedAtMs = 0
  #picture: Picture | undefined
  readonly #chains: StateChains = new StateChains()
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
    if (message.kind === 'checkpoint') {
      this.#requested = message
      this.#requestedAtMs = this.#env.clock.monoMs()
    } else if (message.kind === 'abort') this.#abandon(message.epoch)
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

  /** Something can be written. */
  get working(): boolean {
    const picture = this.#picture
    if (picture === undefined || picture.finishing) return false
    const { frozen, captured, uncut, captures } = picture
    return frozen.length + captured.length > 0 || uncut.size + captures.size === 0
  }

  /** A barrier should enter, or cut stages, before anything else is processed. */
  get due(): boolean {
    return this.requested !== undefined || this.#captureDue
  }

  get #captureDue(): boolean {
    const picture = this.#picture
    return (
      picture !== undefined &&
      picture.uncut.size > 0 &&
      this.#env.clock.monoMs() >= picture.captureAtMs
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
    const { epoch, generation, snapshot, alignedMs, wholeBelowBytes } = message
    const identity = { job, generation, epoch, subtask }
    let writer: DataObjectWriter
    try {
      writer = await createDataObjectWriter({ host: env.host, storage, identity, pool })
    } catch (error) {
      this.#over = epoch
      this.#chains.abandon()
      report({ kind: 'prepare-failed', subtask, epoch, error: reported(error) })
      return
    }
    if (epoch <= this.#over) {
      this.#drop(writer)
      return
    }
    this.#chains.begin(snapshot !== 'checkpoint', wholeBelowBytes)
    this.#picture = {
      epoch,
      writer,
      frozen: [],
      prepared: [],
      watermarks: [],
      channels: [],
      positions: [],
      uncut: new Set(stages),
      captureAtMs: this.#requestedAtMs + alignedMs,
      captures: new Set(),
      captured: [],
      inFlight: undefined,
      finishing: false,
    }
    env.host.crashPoint('source.barrier')
    const [first] = stages
    if (first !== undefined) this.#cut(first, this.#picture)
  }

  /** Cuts the stages that a barrier should have passed by now. What is in front of their barriers is in flight. */
  capture(): void {
    const picture = this.#picture
    if (picture === undefined || !this.#captureDue) return
    const { epoch } = picture
    picture.inFlight ??= new Map()
    for (const stage of [...picture.uncut]) {
      for (const input of stage.inputs) {
        if (input.behind === epoch) continue
        input.capture(epoch)
        picture.captures.add(input)
      }
      this.#cut(stage, picture)
      stage.passed(epoch)
      if (this.#picture !== picture) return
    }
    this.#env.host.crashPoint('op.capture')
  }

  /** Reads ahead, so that senders find room for their barriers. */
  #receive(picture: Picture): void {
    for (const input of picture.captures) {
      const messages = input.captured()
      if (messages === undefined) continue
      picture.captures.delete(input)
      for (const message of messages) picture.captured.push({ input, message })
    }
  }

  /** The channels of a stage have all brought the barrier of `epoch`. */
  aligned(stage: Stage, epoch: number): void {
    const picture = this.#picture
    if (picture?.epoch === epoch && picture.uncut.has(stage)) this.#cut(stage, picture)
    stage.passed(epoch)
  }

  /** A barrier of an attempt that was given up, or that never began here. */
  isOver(epoch: number): boolean {
    return epoch <= this.#over
  }

  #cut(stage: Stage, picture: Picture): void {
    const { env, ledger, policies, positions, watermarks, channels } = this.#options
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
    picture.watermarks.push(...watermarks(stage))
    if (picture.captureAtMs !== Number.POSITIVE_INFINITY) picture.channels.push(...channels(stage))
    for (const operator of stage.operators) {
      const state = operator.freeze(this.#chains.mayBuild(operator.name))
      this.#chains.froze(operator.name, state.changesOnly === true)
      picture.frozen.push({ operator: operator.name, state })
    }
    for (const output of stage.outputs) output.barrier(picture.epoch)
    ledger.cut(stage)
    picture.uncut.delete(stage)
    if (picture.uncut.size > 0) policies.hold(stage.id)
    else {
      picture.prepared.push(this.#prepare(picture.epoch, lettersStage))
      policies.release()
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

  /** Writes some of the frozen state and of what is in flight; starts the end of the snapshot when all is written. */
  async continue(): Promise<void> {
    const picture = this.#picture
    if (picture === undefined || picture.finishing) return
    try {
      this.#receive(picture)
      const current = picture.frozen[0]
      if (current !== undefined) {
        const blocks = current.state.next(sliceBytes)
        if (blocks === undefined) picture.frozen.shift()
        else
          for (const block of blocks) {
            picture.writer.append(current.operator, block)
            this.#chains.wrote(current.operator, block.bytes.length)
            if (picture.writer.full) await picture.writer.drain()
          }
        this.#env.host.crashPoint('op.slice.write')
        return
      }
      if (picture.captured.length > 0) {
        for (const { input, message } of picture.captured.splice(0, messagesPerTurn))
          this.#store(picture, input, message)
        if (picture.writer.full) await picture.writer.drain()
        return
      }
    } catch (error) {
      this.#fail(picture, error)
      return
    }
    if (picture.uncut.size + picture.captures.size > 0) return
    picture.finishing = true
    this.#finish(picture).catch((error: unknown) => this.#fail(picture, error))
  }

  #store(picture: Picture, input: ChannelInput, message: CapturedMessage): void {
    const { edge } = input
    const { holder, block } = inFlightBlock(storedMessage(input, message))
    picture.writer.append(holder, block)
    picture.inFlight?.set(edge.id, (picture.inFlight.get(edge.id) ?? 0) + rowsLeft(message))
  }

  async #finish(picture: Picture): Promise<void> {
    const { report, subtask, sinks, signal } = this.#options
    const ledger = this.#options.ledger.ledger(picture.inFlight)
    const object = await picture.writer.finish()
    for (const prepared of picture.prepared) await prepared
    if (this.#picture !== picture) return
    this.#picture = undefined
    const { epoch, positions, watermarks, channels } = picture
    const bases = this.#chains.finish(epoch, object)
    this.#acknowledged.push({ epoch, positions })
    this.#env.host.crashPoint('op.ack')
    report({
      kind: 'prepared',
      ack: {
        epoch,
        subtask,
        object,
        bases,
        positions,
        watermarks,
        sinks: sinks.preparations(),
        random: new Uint8Array(0),
        channels,
        captured: picture.inFlight !== undefined,
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
    this.#chains.abandon()
    if (this.#requested !== undefined && this.#requested.epoch <= epoch) this.#requested = undefined
    for (const stage of this.#options.stages) stage.passed(epoch)
    const picture = this.#picture
    if (picture === undefined || picture.epoch !== epoch) return
    this.#picture = undefined
    for (const { state } of picture.frozen) state.abandon()
    for (const input of picture.captures) input.forgetCapture()
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
    this.#chains.committed(epoch)
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
