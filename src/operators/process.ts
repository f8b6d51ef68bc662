/**
 * The keyed `process` step: user functions with declared state, named timers and outputs.
 *
 * One context object serves every call. Under the policies `skip` and `dead-letter` a record that throws leaves no
 * trace: state and timers roll back, and what it emitted is held until the function has returned. Under `fail` nothing
 * is recorded; the restart from the last epoch undoes everything.
 */
import type { Duration, Timestamp } from '../base/time.ts'
import type { ProcessContext, ProcessDefinition, TimerControl } from '../graph/process.ts'
import type { Key } from '../schema/types.ts'
import type { BlockOrigin, FrozenState, SnapshotBlock } from '../state/contract.ts'
import type { KeyedStore } from '../state/keyed-store-contract.ts'
import type { Emit, EventClock, OperatorCounts, ProcessingClock } from './contract.ts'
import type { UserRandom } from './random.ts'

export interface ProcessOptions {
  readonly name: string
  readonly definition: ProcessDefinition
  readonly store: KeyedStore
  readonly clock: EventClock
  readonly processing: ProcessingClock
  readonly random: UserRandom
  /** Rows of untimed streams carry no time: the context then shows processing time. */
  readonly onError: 'fail' | 'skip' | 'dead-letter'
  /** Told about a row whose effects were undone; throws to stop the job. `row` is undefined for timers. */
  readonly undone: (row: unknown, error: unknown) => void
}

interface HeldRow {
  readonly emit: Emit
  readonly value: unknown
  readonly timestamp: number
}

const randomSection = 'random'
/** Keys looked at per epoch; at one epoch per second a million keys are swept in about four minutes. */
const sweepSlotsMax = 4_096

export class ProcessOperator {
  readonly name: string
  readonly #options: ProcessOptions
  readonly #store: KeyedStore
  readonly #context: RecordContext
  readonly #outputs: Map<string, Emit> = new Map()
  readonly #onRecord: ProcessDefinition['onRecord']
  readonly #undoable: boolean
  /** Emitted rows of the current record, while it can still be undone. */
  #held: HeldRow[] | undefined
  #skipped = 0

  constructor(options: ProcessOptions) {
    this.#options = options
    this.name = options.name
    this.#store = options.store
    this.#onRecord = options.definition.onRecord
    this.#undoable = options.onError !== 'fail'
    const emit = this.#emitter()
    this.#context = new RecordContext(
      options,
      emit,
      timerControls(options, () => this.#context),
    )
  }

  connect(output: string, emit: Emit): void {
    this.#outputs.set(output, emit)
  }

  // hot: once per record
  record(key: Key, row: unknown, timestampMs: number): void {
    const context = this.#context
    this.#store.setKey(key)
    context.key = key
    context.timestamp = (
      Number.isNaN(timestampMs) ? this.#options.processing.nowMs() : timestampMs
    ) as Timestamp
    if (this.#undoable) this.#attempt(row, () => this.#onRecord(row, context))
    else this.#onRecord(row, context)
  }

  nextDue(): number {
    return this.#store.nextDue('event-time')
  }

  advance(watermarkMs: number): void {
    this.#fire('event-time', watermarkMs)
    const due = this.nextDue()
    if (due !== Number.POSITIVE_INFINITY) this.#options.clock.schedule(due)
  }

  nextProcessingDue(): number {
    return this.#store.nextDue('processing-time')
  }

  advanceProcessing(nowMs: number): void {
    this.#fire('processing-time', nowMs)
  }

  /** Expired values that nobody asks for are removed here, a bounded number per epoch. */
  flushEpoch(): void {
    this.#store.sweepExpired(sweepSlotsMax)
  }

  finish(): void {}

  counts(): OperatorCounts {
    const { keys, entries } = this.#store.counts()
    return {
      received: 0,
      accepted: 0,
      late: 0,
      skipped: this.#options.onError === 'skip' ? this.#skipped : 0,
      deadLettered: this.#options.onError === 'dead-letter' ? this.#skipped : 0,
      buffered: entries,
      keys,
    }
  }

  freeze(): FrozenState {
    const state = this.#options.random.state()
    const bytes = new Uint8Array(state.buffer.slice(0) as ArrayBuffer)
    const store = this.#store.freeze()
    let first = true
    return {
      next(budgetBytes) {
        if (!first) return store.next(budgetBytes)
        first = false
        return [{ section: randomSection, keyGroup: -1, bytes }]
      },
      abandon: () => store.abandon(),
    }
  }

  restore(block: SnapshotBlock, from?: BlockOrigin): void {
    if (block.section !== randomSection) this.#store.restore(block)
    else if (from?.own !== false)
      this.#options.random.restore(new Uint32Array(block.bytes.slice().buffer))
  }

  finishRestore(): void {
    const event = this.nextDue()
    if (event !== Number.POSITIVE_INFINITY) this.#options.clock.schedule(event)
    const processing = this.nextProcessingDue()
    if (processing !== Number.POSITIVE_INFINITY) this.#options.processing.schedule(processing)
  }

  #fire(kind: 'event-time' | 'processing-time', upToMs: number): void {
    const context = this.#context
    for (;;) {
      const due = this.#store.takeDue(kind, upToMs)
      if (due === undefined) return
      const onTimer = this.#options.definition.onTimer[due.name]
      context.key = this.#store.key ?? ''
      context.timestamp = due.at as Timestamp
      if (onTimer === undefined) continue
      if (this.#undoable) this.#attempt(undefined, () => onTimer(context))
      else onTimer(context)
    }
  }

  #attempt(row: unknown, call: () => void): void {
    this.#store.mark()
    this.#held = []
    try {
      call()
    } catch (error) {
      this.#held = undefined
      this.#store.rollback()
      this.#skipped++
      this.#options.undone(row, error)
      return
    }
    const held = this.#held
    this.#held = undefined
    this.#store.release()
    for (const { emit, value, timestamp } of held) emit(value, timestamp)
  }

  #emitter(): ProcessContext['emit'] {
    const { outputs } = this.#options.definition
    if (outputs === undefined) {
      return (value: unknown) => this.#send(this.#outputs.get('out'), value)
    }
    return (output: unknown, value: unknown) => {
      if (!outputs.includes(output as string)) {
        throw new TypeError(
          `step "${this.name}" has no output "${String(output)}"; it declares ${outputs.join(', ')}`,
        )
      }
      this.#send(this.#outputs.get(output as string), value)
    }
  }

  #send(emit: Emit | undefined, value: unknown): void {
    if (emit === undefined) return
    const { timestamp } = this.#context
    if (this.#held === undefined) emit(value, timestamp)
    else this.#held.push({ emit, value, timestamp })
  }
}

class RecordContext implements ProcessContext {
  key: Key = ''
  timestamp: Timestamp = 0 as Timestamp
  readonly state: Readonly<Record<string, unknown>>
  readonly timers: Readonly<Record<string, TimerControl>>
  readonly emit: ProcessContext['emit']
  readonly #options: ProcessOptions

  constructor(
    options: ProcessOptions,
    emit: ProcessContext['emit'],
    timers: Readonly<Record<string, TimerControl>>,
  ) {
    this.#options = options
    this.state = options.store.handles
    this.timers = timers
    this.emit = emit
  }

  get watermark(): Timestamp {
    return this.#options.clock.watermark() as Timestamp
  }

  now(): Timestamp {
    return this.#options.processing.nowMs() as Timestamp
  }

  random(): number {
    return this.#options.random.float()
  }
}

function timerControls(
  options: ProcessOptions,
  context: () => RecordContext,
): Readonly<Record<string, TimerControl>> {
  const controls: Record<string, TimerControl> = {}
  for (const [name, kind] of Object.entries(options.definition.timers)) {
    const timer = options.store.timers[name]
    if (timer === undefined) continue
    const clock = kind === 'event-time' ? options.clock : options.processing
    const setAt = (at: number): void => {
      timer.setAt(at)
      clock.schedule(at)
    }
    controls[name] = Object.freeze({
      setAt,
      setAfter: (delay: Duration) =>
        setAt((kind === 'event-time' ? context().timestamp : options.processing.nowMs()) + delay),
      clear: () => timer.clear(),
    })
  }
  return Object.freeze(controls)
}
