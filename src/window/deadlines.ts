/** A binary heap of (time, id) in typed arrays: what is due next. Equal times leave in any order; callers sort. */

export class Deadlines {
  size = 0
  #times: Float64Array = new Float64Array(64)
  #ids: Int32Array = new Int32Array(64)

  /** The earliest time, +Infinity when empty. */
  get next(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  push(time: number, id: number): void {
    if (this.size === this.#times.length) this.#grow()
    const times = this.#times
    const ids = this.#ids
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (times[parent]! <= time) break
      times[at] = times[parent]!
      ids[at] = ids[parent]!
      at = parent
    }
    times[at] = time
    ids[at] = id
  }

  /** Removes the earliest and returns its id. */
  pop(): number {
    const times = this.#times
    const ids = this.#ids
    const id = ids[0]!
    const last = --this.size
    const time = times[last]!
    const lastId = ids[last]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && times[child + 1]! < times[child]!) child++
      if (times[child]! >= time) break
      times[at] = times[child]!
      ids[at] = ids[child]!
      at = child
    }
    times[at] = time
    ids[at] = lastId
    return id
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    times.set(this.#times)
    this.#times = times
    const ids = new Int32Array(times.length)
    ids.set(this.#ids)
    this.#ids = ids
  }
}
