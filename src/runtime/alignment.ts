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

export class SourceAlignment {
  readonly #standings: Standings
  readonly #names: readonly string[]
  readonly #inputs: readonly PartitionInput[]
  readonly #membersOf: ReadonlyMap<number, Members>
  /** By group: where its slowest partition is, here or elsewhere. */
  readonly #least: Float64Array
  /** By group: the same of this subtask only. */
  readonly #own: Float64Array
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
    this.#own = new Float64Array(this.#names.length)
  }

  /** Whether a partition with rows waits now. */
  get waits(): boolean {
    return this.#waiting.size > 0
  }

  /** Partitions that wait, and for how much of event time. */
  waiting(): readonly AlignmentWait[] {
    return [...this.#waiting].flatMap((input) => {
      const members = this.#membersOf.get(input.source)
      if (members === undefined) return []
      const least = this.#least[members.group] ?? timestampMin
      const group = this.#names[members.group] ?? ''
      const known = least > timestampMin && least < Number.POSITIVE_INFINITY
      const aheadMs = farthest(members, input, false) - least
      return [{ partition: input.channel, group, ...(known ? { aheadMs } : {}) }]
    })
  }

  /** By group, whom this subtask would have others wait for. */
  slowest(): readonly SlowestPartition[] {
    return this.#names.flatMap((group, index) => {
      const places = this.#inputs.flatMap((input) => {
        const members = this.#membersOf.get(input.source)
        if (members?.group !== index) return []
        const watermarkMs = farthest(members, input, true)
        return Number.isFinite(watermarkMs)
          ? [{ partition: input.channel, group, watermarkMs }]
          : []
      })
      return places.sort((a, b) => a.watermarkMs - b.watermarkMs).slice(0, 1)
    })
  }

  /** Tells the other subtasks how far this one is, and hears how far they are. */
  look(): void {
    this.#own.fill(Number.POSITIVE_INFINITY)
    for (const input of this.#inputs) {
      const members = this.#membersOf.get(input.source)
      if (members === undefined) continue
      const place = farthest(members, input, true)
      if (place < this.#own[members.group]!) this.#own[members.group] = place
    }
    for (let group = 0; group < this.#own.length; group++) {
      this.#standings.tell(group, this.#own[group]!)
      this.#least[group] = this.#standings.least(group)
    }
  }

  /** Whether a partition that has rows is not to be read yet, as of the last look. */
  holds(input: PartitionInput): boolean {
    const members = this.#membersOf.get(input.source)
    if (members === undefined) return false
    if (this.#least[members.group]! >= farthest(members, input, false) - members.maxDrift) {
      this.#waiting.delete(input)
      return false
    }
    this.#waiting.add(input)
    return true
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
