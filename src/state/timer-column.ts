/**
 * The pending timers of one key group by slot: one deadline per declared timer, NaN when it is not set.
 *
 * A timer that is moved to a later time keeps its entry in the queue; when that comes up, the timer is queued again.
 * So extending a deadline with every record, as sessions do, costs no queue operation. `queuedAt` and `queuedId` say
 * which entry that is.
 */
import { grownDoubles, type Shard } from './column.ts'
import { pageShift } from './accumulators.ts'

export class TimerColumn {
  readonly count: number
  /** By `slot * count + timer`. */
  deadlines: Float64Array = new Float64Array(0)
  queuedAt: Float64Array = new Float64Array(0)
  /** 0 when no entry of the queue is valid. */
  queuedId: Float64Array = new Float64Array(0)

  constructor(count: number) {
    this.count = count
  }

  ensure(slot: number): void {
    const { count } = this
    const from = this.deadlines.length
    if (count === 0 || (slot + 1) * count <= from) return
    this.deadlines = grownDoubles(this.deadlines, (slot + 1) * count).fill(Number.NaN, from)
    this.queuedAt = grownDoubles(this.queuedAt, (slot + 1) * count)
    this.queuedId = grownDoubles(this.queuedId, (slot + 1) * count)
  }

  image(page: number): Float64Array {
    const size = this.count << pageShift
    return this.deadlines.slice(page * size, (page + 1) * size)
  }

  /** Sets a deadline (NaN: none) and keeps the slot's number of held things. */
  put(shard: Shard, slot: number, timer: number, at: number): void {
    const place = slot * this.count + timer
    const old = this.deadlines[place]!
    if (Number.isNaN(old) && !Number.isNaN(at)) shard.held[slot]!++
    else if (!Number.isNaN(old) && Number.isNaN(at)) shard.held[slot]!--
    this.deadlines[place] = at
  }

  /** Entries of the queue for this slot are void from now on; how many were valid. */
  forget(slot: number): number {
    let valid = 0
    for (let place = slot * this.count; place < (slot + 1) * this.count; place++) {
      if (this.queuedId[place] === 0) continue
      this.queuedId[place] = 0
      valid++
    }
    return valid
  }
}
