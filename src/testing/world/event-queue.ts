/** Pending events of the world in the order (virtual time, seeded tie-break, age): a binary heap. */
import type { LifeState } from './life-state.ts'

export interface WorldEvent {
  readonly timeMs: number
  /** Drawn from the seed, so that events of one moment run in an order that differs from seed to seed. */
  readonly tie: number
  readonly serial: number
  /** The process that waits for it; `undefined` for events of the world itself. */
  readonly life: LifeState | undefined
  readonly run: () => void
  /**
   * For work already handed to the operating system when the process dies: applies a share of it, from 0 (the system
   * never saw it) to 1 (all of it).
   */
  readonly land: ((share: number) => void) | undefined
  cancelled: boolean
}

export class EventQueue {
  readonly #heap: WorldEvent[] = []

  get size(): number {
    return this.#heap.length
  }

  push(event: WorldEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]!
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  pop(): WorldEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }

  /** Takes out all events of one process, in their order. */
  removeOf(life: LifeState): WorldEvent[] {
    const removed = this.#heap.filter((event) => event.life === life)
    const kept = this.#heap.filter((event) => event.life !== life)
    this.#heap.length = 0
    for (const event of kept) this.push(event)
    return removed.sort((left, right) => (isBefore(left, right) ? -1 : 1))
  }
}

function isBefore(left: WorldEvent, right: WorldEvent): boolean {
  if (left.timeMs !== right.timeMs) return left.timeMs < right.timeMs
  if (left.tie !== right.tie) return left.tie < right.tie
  return left.serial < right.serial
}
