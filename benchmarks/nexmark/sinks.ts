/**
 * What the engine's results go to: `collect` keeps rows for the digest, `checksum` reads every column and forgets them.
 * Both are transactional: rows count when their epoch is committed, once, also when the job restarts in between.
 */
import type { Sink } from 'tidemill'
import type { SinkWriter } from '../../src/connectors/contract.ts'
import { Checksum } from './checksum.ts'
import type { EngineQuery, QueryRows } from './queries.ts'
import { groupOf } from './queries.ts'
import type { BandCounts, BidderWindow } from './results.ts'

/** Gives every column of a row to the checksum, in the order of the digest, as the loops do. */
const columnsOf: {
  readonly [Query in EngineQuery]: (row: QueryRows[Query], into: Checksum) => void
} = {
  q0: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.price)
    into.number(row.dateTime)
    into.string(row.extra)
  },
  q1: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.priceThousandths)
    into.number(row.dateTime)
    into.string(row.extra)
  },
  q2: (row, into) => {
    into.number(row.auction)
    into.number(row.price)
  },
  q5: (row, into) => {
    into.number(row.auction)
    into.number(row.num)
    into.number(row.windowStart)
  },
  q7: (row, into) => {
    into.number(row.auction)
    into.number(row.price)
    into.number(row.bidder)
    into.number(row.dateTime)
    into.string(row.extra)
  },
  q8: (row, into) => {
    into.number(row.id)
    into.string(row.name)
    into.number(row.windowStart)
  },
  q11: bidderWindow,
  q12: bidderWindow,
  q13: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.price)
    into.number(row.dateTime)
    into.string(row.value)
  },
  q14: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.priceThousandths)
    into.string(row.timeType)
    into.number(row.dateTime)
    into.string(row.extra)
    into.number(row.cCount)
  },
  q15: (row, into) => {
    into.string(row.day)
    bandCounts(row, into)
  },
  q16: (row, into) => {
    into.string(row.channel)
    into.string(row.day)
    into.string(row.minute)
    bandCounts(row, into)
  },
  q17: (row, into) => {
    into.number(row.auction)
    into.string(row.day)
    into.number(row.bids)
    into.number(row.bids1)
    into.number(row.bids2)
    into.number(row.bids3)
    into.number(row.minPrice)
    into.number(row.maxPrice)
    into.number(row.averagePrice)
    into.number(row.sumPrice)
  },
  q21: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.price)
    into.string(row.channel)
    into.string(row.channelId)
  },
  q22: (row, into) => {
    into.number(row.auction)
    into.number(row.bidder)
    into.number(row.price)
    into.string(row.channel)
    into.string(row.dir1)
    into.string(row.dir2)
    into.string(row.dir3)
  },
}

function bidderWindow(row: BidderWindow, into: Checksum): void {
  into.number(row.bidder)
  into.number(row.count)
  into.number(row.windowStart)
  into.number(row.windowEnd)
}

function bandCounts(row: BandCounts, into: Checksum): void {
  into.number(row.bids)
  into.number(row.bids1)
  into.number(row.bids2)
  into.number(row.bids3)
  into.number(row.bidders)
  into.number(row.bidders1)
  into.number(row.bidders2)
  into.number(row.bidders3)
  into.number(row.auctions)
  into.number(row.auctions1)
  into.number(row.auctions2)
  into.number(row.auctions3)
}

/** Something that takes the rows of one epoch and shows them when it is committed. */
interface Epochs<Row> {
  take(row: Row): void
  /** Ends the epoch; the result goes to `commit` once. */
  cut(): unknown
  commit(cut: unknown): void
}

/** Rows of committed epochs. Of queries with groups, the last row of each. */
export class Collector<Query extends EngineQuery> implements Epochs<QueryRows[Query]> {
  readonly #group: ((row: QueryRows[Query]) => string | number) | undefined
  readonly #groups: Map<string | number, QueryRows[Query]> = new Map()
  #rows: QueryRows[Query][] = []
  #current: QueryRows[Query][] = []

  constructor(query: Query) {
    this.#group = groupOf[query]
  }

  take(row: QueryRows[Query]): void {
    this.#current.push(row)
  }

  cut(): readonly QueryRows[Query][] {
    const cut = this.#current
    this.#current = []
    return cut
  }

  commit(cut: readonly QueryRows[Query][]): void {
    if (this.#group === undefined) for (const row of cut) this.#rows.push(row)
    else for (const row of cut) this.#groups.set(this.#group(row), row)
  }

  get rows(): readonly QueryRows[Query][] {
    return this.#group === undefined ? this.#rows : [...this.#groups.values()]
  }
}

/** Count and sum of the columns of all rows. */
export class SummingUp<Query extends EngineQuery> implements Epochs<QueryRows[Query]> {
  rows = 0
  value = 0
  /** Rows that came in, whether or not they replaced others. */
  received = 0
  readonly #columns: (row: QueryRows[Query], into: Checksum) => void
  #current: Checksum = new Checksum()

  constructor(query: Query) {
    this.#columns = columnsOf[query]
  }

  take(row: QueryRows[Query]): void {
    this.#columns(row, this.#current)
    this.#current.row()
  }

  cut(): Checksum {
    const cut = this.#current
    this.#current = new Checksum()
    return cut
  }

  commit(cut: Checksum): void {
    this.received += cut.rows
    this.rows += cut.rows
    this.value = (this.value + cut.value) | 0
  }
}

/** What an epoch brings: groups and the sums of their rows, in the order in which they came. */
interface GroupSums {
  readonly groups: (string | number)[]
  readonly sums: number[]
}

/** The same for queries whose rows replace earlier ones: the sum is that of the last row of each group. */
export class SummingUpGroups<Query extends EngineQuery> implements Epochs<QueryRows[Query]> {
  value = 0
  received = 0
  readonly #columns: (row: QueryRows[Query], into: Checksum) => void
  readonly #group: (row: QueryRows[Query]) => string | number
  readonly #sum: Checksum = new Checksum()
  readonly #known: Map<string | number, number> = new Map()
  #current: GroupSums = { groups: [], sums: [] }

  constructor(query: Query, group: (row: QueryRows[Query]) => string | number) {
    this.#columns = columnsOf[query]
    this.#group = group
  }

  get rows(): number {
    return this.#known.size
  }

  take(row: QueryRows[Query]): void {
    const sum = this.#sum
    sum.value = 0
    this.#columns(row, sum)
    this.#current.groups.push(this.#group(row))
    this.#current.sums.push(sum.value)
  }

  cut(): GroupSums {
    const cut = this.#current
    this.#current = { groups: [], sums: [] }
    return cut
  }

  commit({ groups, sums }: GroupSums): void {
    this.received += groups.length
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!
      const value = sums[i]!
      this.value = (this.value + value - (this.#known.get(group) ?? 0)) | 0
      this.#known.set(group, value)
    }
  }
}

export type Summing = Pick<Checksum, 'rows' | 'value'> & { readonly received: number }

export function summing<Query extends EngineQuery>(
  query: Query,
): Epochs<QueryRows[Query]> & Summing {
  const group = groupOf[query]
  return group === undefined ? new SummingUp(query) : new SummingUpGroups(query, group)
}

/**
 * The sink around them. `onCommit` learns how long an epoch took from its barrier to its commit. What an epoch adds is kept here between prepare and commit; the prepared bytes are its number,
 * so a checkpoint that is committed after a restart finds it again.
 */
export function epochSink<Row>(
  connector: string,
  epochs: Epochs<Row>,
  onCommit: (durationMs: number) => void = () => {},
): Sink<Row> {
  let last: number | undefined
  const bySubtask = new Map<number, Map<number, unknown>>()
  const cutsOf = (subtask: number): Map<number, unknown> => {
    const cuts = bySubtask.get(subtask) ?? new Map<number, unknown>()
    bySubtask.set(subtask, cuts)
    return cuts
  }
  return {
    role: 'sink',
    connector,
    describe: {},
    guarantee: 'transactional',
    acceptsViews: false,
    open: ({ subtask, generation }) => {
      // What an earlier life took and did not commit comes again.
      if (generation !== last) epochs.cut()
      last = generation
      return Promise.resolve(new EpochWriter(epochs, cutsOf(subtask), onCommit))
    },
  }
}

class EpochWriter<Row> implements SinkWriter<Row> {
  readonly full = false
  readonly #epochs: Epochs<Row>
  readonly #cuts: Map<number, unknown>
  readonly #onCommit: (durationMs: number) => void
  readonly #begun: Map<number, number> = new Map()
  #received = 0

  constructor(
    epochs: Epochs<Row>,
    cuts: Map<number, unknown>,
    onCommit: (durationMs: number) => void,
  ) {
    this.#epochs = epochs
    this.#cuts = cuts
    this.#onCommit = onCommit
  }

  write(row: Row): void {
    this.#received++
    this.#epochs.take(row)
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  prepare(epoch: number): Promise<Uint8Array> {
    this.#cuts.set(epoch, this.#epochs.cut())
    this.#begun.set(epoch, performance.now())
    return Promise.resolve(new TextEncoder().encode(String(epoch)))
  }

  commit(epoch: number): Promise<void> {
    const cut = this.#cuts.get(epoch)
    if (cut !== undefined) {
      this.#cuts.delete(epoch)
      this.#epochs.commit(cut)
    }
    this.#onCommit(performance.now() - (this.#begun.get(epoch) ?? Number.NaN))
    this.#begun.delete(epoch)
    return Promise.resolve()
  }

  async recover(prepared: readonly { readonly epoch: number }[]): Promise<void> {
    for (const { epoch } of prepared) await this.commit(epoch)
    this.#cuts.clear()
  }

  counts(): { received: number; skipped: number; deadLettered: number } {
    return { received: this.#received, skipped: 0, deadLettered: 0 }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
