/** What snapshots of tables and of sessions share: sorting by key group, and blocks that lie in the buffer of their call. */
import type { Writer } from '../schema/bytes.ts'
import type { FrozenState, SnapshotBlock } from '../state/contract.ts'

/** Where a block lies in the writer's buffer. */
export interface Place {
  readonly section: string
  readonly keyGroup: number
  readonly start: number
  readonly end: number
}

/**
 * A picture whose blocks `places` writes to `writer` one by one: each call takes as many as it was asked for and begins the
 * buffer anew. `finish` is called at the end, and may be called again.
 */
export function frozenBlocks(
  writer: Writer,
  places: Iterator<Place>,
  finish: () => void,
  changesOnly: boolean = false,
): FrozenState {
  return {
    changesOnly,
    next(budgetBytes) {
      writer.clear()
      const written: Place[] = []
      while (writer.position < budgetBytes) {
        const place = places.next()
        if (place.done) {
          finish()
          break
        }
        written.push(place.value)
      }
      if (written.length === 0) return undefined
      return written.map(
        ({ section, keyGroup, start, end }): SnapshotBlock => ({
          section,
          keyGroup,
          bytes: writer.bytes.subarray(start, end),
        }),
      )
    },
    abandon: finish,
  }
}

export interface GroupMembers {
  readonly keyGroup: number
  /** The members are `order[first, end)`. */
  readonly first: number
  readonly end: number
}

/** Sorts a slice of up to 65,536 members by key group. */
export class GroupSort {
  /** The members, group after group. */
  readonly order: Uint16Array
  readonly #ends: Int32Array

  constructor(membersMax: number, groups: number) {
    this.order = new Uint16Array(membersMax)
    this.#ends = new Int32Array(groups)
  }

  /** Counting sort of the members 0 to `count`; those of a group keep their order. */
  sort(count: number, groupOf: (member: number) => number): void {
    const ends = this.#ends
    const { order } = this
    this.#startGroups(count, groupOf)
    for (let member = 0; member < count; member++) order[ends[groupOf(member)]!++] = member
  }

  /** The same for `members[0, count)` only, which ascend. */
  sortSome(members: Uint16Array, count: number, groupOf: (member: number) => number): void {
    const ends = this.#ends
    this.#startGroups(count, (i) => groupOf(members[i]!))
    for (let i = 0; i < count; i++) this.order[ends[groupOf(members[i]!)]!++] = members[i]!
  }

  /** The groups of the slice that have members. */
  *groups(): Generator<GroupMembers> {
    let first = 0
    for (let keyGroup = 0; keyGroup < this.#ends.length; keyGroup++) {
      const end = this.#ends[keyGroup]!
      if (end > first) yield { keyGroup, first, end }
      first = end
    }
  }

  /** Where each group begins. */
  #startGroups(count: number, groupOf: (member: number) => number): void {
    const ends = this.#ends
    ends.fill(0)
    for (let member = 0; member < count; member++) ends[groupOf(member)]!++
    let sum = 0
    for (let group = 0; group < ends.length; group++) {
      const members = ends[group]!
      ends[group] = sum
      sum += members
    }
  }
}
