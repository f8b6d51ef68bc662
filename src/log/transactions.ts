/**
 * The transaction table of one partition: which transactions are open, and how the last ones of each producer ended.
 *
 *     begin        append         prepare          commit marker
 *   ──────▶ open ─────────▶ open ─────────▶ prepared ─────────────▶ committed
 *             │                                │
 *             └───────────── abort marker ─────┴──────────────────▶ aborted
 *
 * The table is a pure function of the batches before an offset: the writer applies every batch it has written, and a
 * recovery applies the same batches to the state in the segment's header. A transaction is (producer id, epoch); a
 * producer may prepare epoch n and begin n+1 before n is decided. Outcomes are kept for the last `outcomesMax` epochs
 * of each producer, which bounds the table; a checkpoint decides its epochs long before.
 */
import { TidemillError } from '../base/errors.ts'
import { crc32 } from '../base/crc32.ts'
import { logErrors } from './errors.ts'
import { batchKind } from './format.ts'
import type { OpenTransaction, TransactionId, TransactionOutcome } from './types.ts'

/** Epochs per producer whose outcome is remembered: 64 checkpoints in a row may wait for their commit. */
const outcomesMax = 64

/** The table as JSON in a segment header, in a defined order. `1` is committed, `0` aborted; -1 stands for no data. */
export interface TransactionState {
  readonly open: readonly (readonly [
    producerId: number,
    epoch: number,
    firstOffset: number,
    prepared: 0 | 1,
  ])[]
  readonly decided: readonly (readonly [
    producerId: number,
    outcomes: readonly (readonly [number, 0 | 1])[],
  ])[]
}

export const noTransactions: TransactionState = Object.freeze({ open: [], decided: [] })

/** A 52-bit producer id from a name such as `job/sink`; equal for equal names, for ever. */
export function producerIdOf(name: string): number {
  const bytes = new TextEncoder().encode(name)
  return (crc32(bytes, 0x9e37_79b9) & 0xf_ffff) * 0x1_0000_0000 + crc32(bytes)
}

class Entry {
  readonly producerId: number
  readonly epoch: number
  firstOffset = -1
  /** The marker is written. */
  prepared = false
  /** The marker is on its way: no more data. */
  preparing = false
  /** The outcome whose marker is on its way. */
  deciding: 'committed' | 'aborted' | undefined = undefined

  constructor(producerId: number, epoch: number) {
    this.producerId = producerId
    this.epoch = epoch
  }
}

export class TransactionTable {
  /** In the order of their beginning, so that equal histories give equal bytes. */
  readonly #open: Entry[] = []
  readonly #decided = new Map<number, Map<number, 0 | 1>>()

  constructor(state: TransactionState) {
    for (const [producerId, epoch, firstOffset, prepared] of state.open) {
      const entry = new Entry(producerId, epoch)
      entry.firstOffset = firstOffset
      entry.prepared = prepared === 1
      this.#open.push(entry)
    }
    for (const [producerId, outcomes] of state.decided)
      this.#decided.set(producerId, new Map(outcomes))
  }

  /** The table for a segment header. Transactions without any batch are not part of it: the log knows nothing of them. */
  toState(): TransactionState {
    const decided = [...this.#decided].sort((a, b) => a[0] - b[0])
    return {
      open: this.#open
        .filter((entry) => entry.firstOffset >= 0 || entry.prepared)
        .map(
          (entry) =>
            [entry.producerId, entry.epoch, entry.firstOffset, entry.prepared ? 1 : 0] as const,
        ),
      decided: decided.map(([producerId, outcomes]) => [producerId, [...outcomes]] as const),
    }
  }

  /** What a written batch of a transaction means. Control batches of decided transactions change nothing. */
  apply(kind: number, producerId: number, epoch: number, baseOffset: number): void {
    if (kind === batchKind.commit || kind === batchKind.abort) {
      this.#decide(producerId, epoch, kind === batchKind.commit ? 1 : 0)
      return
    }
    let entry = this.#find(producerId, epoch)
    if (entry === undefined) {
      entry = new Entry(producerId, epoch)
      this.#open.push(entry)
    }
    if (kind === batchKind.prepare) entry.prepared = true
    else if (entry.firstOffset < 0) entry.firstOffset = baseOffset
  }

  begin(id: TransactionId): void {
    checkId(id)
    const last = this.#lastDecided(id.producerId)
    if (id.epoch <= last) {
      throw stateError(id, `epoch ${last} of this producer is already decided, epochs must grow`)
    }
    for (const entry of this.#open) {
      if (entry.producerId !== id.producerId) continue
      if (entry.epoch >= id.epoch)
        throw stateError(id, `epoch ${entry.epoch} of this producer was begun before`)
      if (!entry.prepared && !entry.preparing)
        throw stateError(
          id,
          `epoch ${entry.epoch} of this producer is open; prepare or end it first`,
        )
    }
    this.#open.push(new Entry(id.producerId, id.epoch))
  }

  /** Throws unless data may be appended to the transaction now. */
  requireOpen(id: TransactionId): void {
    const entry = this.#find(id.producerId, id.epoch)
    if (entry === undefined) throw this.#notOpen(id)
    if (entry.prepared || entry.preparing) {
      throw stateError(id, 'it is prepared; begin the next epoch to append more')
    }
    if (entry.deciding !== undefined) throw stateError(id, `it is about to be ${entry.deciding}`)
  }

  /** True when the caller has to write the marker: it is not written and nobody else is writing it. */
  startPrepare(id: TransactionId): boolean {
    const entry = this.#find(id.producerId, id.epoch)
    if (entry === undefined) throw this.#notOpen(id)
    if (entry.deciding !== undefined) throw stateError(id, `it is about to be ${entry.deciding}`)
    if (entry.prepared || entry.preparing) return false
    entry.preparing = true
    return true
  }

  /** True when the caller has to write the marker, false when this is the outcome or becomes it. */
  startDecision(id: TransactionId, outcome: 'committed' | 'aborted'): boolean {
    const now = this.outcome(id)
    if (now === outcome) return false
    const entry = this.#find(id.producerId, id.epoch)
    if (entry === undefined) throw this.#notOpen(id)
    if (entry.deciding === outcome) return false
    if (entry.deciding !== undefined) throw stateError(id, `it is about to be ${entry.deciding}`)
    entry.deciding = outcome
    return true
  }

  /** The marker could not be written: the same step may be tried again. */
  takeBack(id: TransactionId): void {
    const entry = this.#find(id.producerId, id.epoch)
    if (entry === undefined) return
    entry.preparing = false
    entry.deciding = undefined
  }

  outcome(id: TransactionId): TransactionOutcome {
    const decided = this.#decided.get(id.producerId)?.get(id.epoch)
    if (decided !== undefined) return decided === 1 ? 'committed' : 'aborted'
    const entry = this.#find(id.producerId, id.epoch)
    if (entry === undefined) return 'unknown'
    return entry.prepared ? 'prepared' : 'open'
  }

  openTransactions(): OpenTransaction[] {
    return this.#open.map((entry) => ({
      producerId: entry.producerId,
      epoch: entry.epoch,
      prepared: entry.prepared,
      firstOffset: entry.firstOffset < 0 ? undefined : entry.firstOffset,
    }))
  }

  /** The first offset that belongs to an open transaction, or `end`. */
  stableOffset(end: number): number {
    let stable = end
    for (const entry of this.#open) {
      if (entry.firstOffset >= 0 && entry.firstOffset < stable) stable = entry.firstOffset
    }
    return stable
  }

  #find(producerId: number, epoch: number): Entry | undefined {
    for (const entry of this.#open) {
      if (entry.epoch === epoch && entry.producerId === producerId) return entry
    }
    return undefined
  }

  #lastDecided(producerId: number): number {
    let last = -1
    for (const epoch of this.#decided.get(producerId)?.keys() ?? []) last = Math.max(last, epoch)
    return last
  }

  #decide(producerId: number, epoch: number, outcome: 0 | 1): void {
    const i = this.#open.findIndex(
      (entry) => entry.epoch === epoch && entry.producerId === producerId,
    )
    if (i >= 0) this.#open.splice(i, 1)
    let outcomes = this.#decided.get(producerId)
    if (outcomes === undefined) {
      outcomes = new Map()
      this.#decided.set(producerId, outcomes)
    }
    if (!outcomes.has(epoch)) outcomes.set(epoch, outcome)
    if (outcomes.size > outcomesMax) {
      const oldest = outcomes.keys().next().value
      if (oldest !== undefined) outcomes.delete(oldest)
    }
  }

  #notOpen(id: TransactionId): TidemillError {
    const outcome = this.outcome(id)
    if (outcome === 'unknown') {
      return new TidemillError(logErrors.transactionUnknown, {
        message: `producer ${id.producerId}, epoch ${id.epoch}`,
        details: { producer: id.producerId, epoch: id.epoch },
      })
    }
    return stateError(id, `it is ${outcome}`)
  }
}

function checkId(id: TransactionId): void {
  if (
    !Number.isSafeInteger(id.producerId) ||
    id.producerId < 0 ||
    !Number.isSafeInteger(id.epoch) ||
    id.epoch < 0
  ) {
    throw new TidemillError(logErrors.batchInvalid, {
      message: `producer ${id.producerId}, epoch ${id.epoch}: both must be whole numbers from 0 to 2^53 - 1`,
    })
  }
}

function stateError(id: TransactionId, message: string): TidemillError {
  return new TidemillError(logErrors.transactionState, {
    message,
    details: { producer: id.producerId, epoch: id.epoch },
  })
}
