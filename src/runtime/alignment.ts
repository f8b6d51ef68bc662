/**
 * Watermark alignment: a partition that is further ahead of the slowest of its group than `maxDrift` is not read until
 * the others have come closer, so that windows and state downstream hold a bounded span of event time (FLIP-182,
 * FLIP-217). A group may span several sources and all subtasks (`exchange/standings.ts`).
 *
 * 1. A partition has one place: its watermark, the largest one when it reaches several steps of its group. It is in one group
 *    (TM1313). Else two could wait for each other, each by another of its times, or one for itself.
 * 2. Everything is looked at between batches: a partition is ahead by `maxDrift` and one batch at most.
 * 3. The slowest member never waits, and idle and ended ones hold nobody back: somebody can always go on.
 * 4. A partition that waits has rows, so it is not idle, and its channel stays active.
 */
import { timestampMin } from '../base/time.ts'
import type { Standings } from '../exchange/standings.ts'
import type { Plan } from '../graph/plan.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { PartitionInput } from './partition.ts'

/** The groups of a plan, in the order in which they are named. */
export function alignmentGroups({ nodes }: Plan): readonly string[] {
  const names = nodes.flatMap((node) =>
    node.kind === 'event-time' && node.alignment !== undefined ? [node.alignment.group] : [],
  )
  return [...new Set(names)]
}

/** A partition that waits. */
export interface AlignmentWait {
  readonly partition: string
  readonly group: string
  /** In event time, of the slowest partition of the group; absent while that has not given a row. */
  readonly aheadMs?: number
}

/** The slowest partition of a group, of one subtask. */
export interface SlowestPartition {
  readonly partition: string
  readonly group: string
  readonly watermarkMs: number
}

/** The partitions of a source: one group, and its steps that they reach. */
interface Members {
  readonly group: number
  readonly origins: readonly EventTimeOrigin[]
  readonly maxDrift: number
}

/** Where a partition was after its last batch. */
interface Place {
  readonly partition: string
  readonly members: Members
  at: number
  /** The same as far as it holds back others: +Infinity when it is idle or has ended. */
  counts: number
}

export class SourceAlignment {
  readonly #standings: Standings
  readonly #names: readonly string[]
  readonly #inputs: readonly PartitionInput[]
  readonly #membersOf: ReadonlyMap<number, Members>
  /** By group: where its slowest partition is, here or elsewhere. */
  readonly #least: Float64Array
  readonly #places: Map<PartitionInput, Place> = new Map()
  /** By group. */
  readonly #placesOf: readonly Place[][]
  /** Partitions with rows that waited when they were looked at last. */
  readonly #waiting: Set<PartitionInput> = new Set()

  /** `inputs` are those of the subtask, also when they are opened later. */
  constructor(
    plan: Plan,
    originsOfSource: ReadonlyMap<number, readonly EventTimeOrigin[]>,
    inputs: readonly PartitionInput[],
    standings: Standings,
  ) {
    this.#names = alignmentGroups(plan)
    const membersOf = new Map<number, Members>()
    for (const [source, reached] of originsOfSource) {
      const aligned = reached.flatMap((origin) => {
        const node = plan.nodes[origin.id]
        return node?.kind === 'event-time' && node.alignment !== undefined
          ? [{ origin, ...node.alignment }]
          : []
      })
      const [first] = aligned
      if (first === undefined) continue
      membersOf.set(source, {
        group: this.#names.indexOf(first.group),
        origins: aligned.map(({ origin }) => origin),
        maxDrift: Math.min(...aligned.map(({ maxDrift }) => maxDrift)),
      })
    }
    this.#standings = standings
    this.#inputs = inputs
    this.#membersOf = membersOf
    this.#least = new Float64Array(this.#names.length)
    this.#placesOf = this.#names.map(() => [])
  }

  /** Whether a partition with rows waits now. */
  get waits(): boolean {
    return this.#waiting.size > 0
  }

  /** Partitions that wait, and for how much of event time. */
  waiting(): readonly AlignmentWait[] {
    return [...this.#waiting].flatMap((input) => {
      const place = this.#places.get(input)
      if (place === undefined) return []
      const least = this.#least[place.members.group] ?? timestampMin
      const group = this.#names[place.members.group] ?? ''
      const known = least > timestampMin && least < Number.POSITIVE_INFINITY
      return [{ partition: input.channel, group, ...(known ? { aheadMs: place.at - least } : {}) }]
    })
  }

  /** By group, whom this subtask would have others wait for. */
  slowest(): readonly SlowestPartition[] {
    return this.#placesOf.flatMap((places, group) =>
      places
        .filter(({ counts }) => counts < Number.POSITIVE_INFINITY)
        .sort((a, b) => a.counts - b.counts)
        .slice(0, 1)
        .map(({ partition, counts }) => ({
          partition,
          group: this.#names[group] ?? '',
          watermarkMs: counts,
        })),
    )
  }

  /** All partitions, when some may have become idle or have ended. */
  look(): void {
    for (const input of this.#inputs) this.#place(input)
    for (let group = 0; group < this.#least.length; group++) this.#tell(group)
  }

  /** A batch of this partition was processed. */
  read(input: PartitionInput): void {
    const place = this.#place(input)
    if (place !== undefined) this.#tell(place.members.group)
  }

  /** How far the other subtasks are. */
  hear(): void {
    if (this.#places.size === 0) this.look()
    for (let group = 0; group < this.#least.length; group++)
      this.#least[group] = this.#standings.least(group)
  }

  /** Whether a partition that has rows is not to be read yet, as of what was heard last. */
  holds(input: PartitionInput): boolean {
    const place = this.#places.get(input)
    if (place === undefined) return false
    const { group, maxDrift } = place.members
    if (this.#least[group]! >= place.at - maxDrift) {
      if (this.#waiting.size > 0) this.#waiting.delete(input)
      return false
    }
    this.#waiting.add(input)
    return true
  }

  #place(input: PartitionInput): Place | undefined {
    let place = this.#places.get(input)
    if (place === undefined) {
      const members = this.#membersOf.get(input.source)
      if (members === undefined) return undefined
      place = { partition: input.channel, members, at: timestampMin, counts: timestampMin }
      this.#places.set(input, place)
      this.#placesOf[members.group]?.push(place)
    }
    place.at = farthest(place.members, input, false)
    place.counts = farthest(place.members, input, true)
    return place
  }

  #tell(group: number): void {
    let least = Number.POSITIVE_INFINITY
    for (const { counts } of this.#placesOf[group] ?? []) if (counts < least) least = counts
    this.#standings.tell(group, least)
  }
}

/**
 * The largest watermark of a partition. The least would be as good for the steps behind it, but one of them may never get a
 * row of this partition, and then all others would wait for it. +Infinity when only those that hold time back are `active`,
 * and none does.
 */
function farthest({ origins }: Members, { channel }: PartitionInput, active: boolean): number {
  let most = Number.NEGATIVE_INFINITY
  for (const origin of origins) {
    const watermark = origin.watermarkOf(channel, active)
    if (watermark !== undefined && watermark > most) most = watermark
  }
  return most === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : most
}
