/**
 * Watermark alignment: a partition that is further ahead of the slowest of its group than `maxDrift` is not read until
 * the others have come closer, so that windows and state downstream hold a bounded span of event time (FLIP-182,
 * FLIP-217). A group may span several sources and all subtasks (`exchange/standings.ts`).
 *
 * 1. Everything is looked at between batches: a partition is ahead by `maxDrift` and one batch at most.
 * 2. The slowest member never waits, and idle and ended ones hold nobody back: somebody can always go on.
 * 3. A partition that waits has rows, so it is not idle, and its channel stays active.
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

interface Member {
  readonly origin: EventTimeOrigin
  readonly group: number
  readonly maxDrift: number
}

export class SourceAlignment {
  readonly #standings: Standings
  /** By group, every step in this subtask that belongs to it. */
  readonly #groups: readonly (readonly EventTimeOrigin[])[]
  readonly #membersOf: ReadonlyMap<number, readonly Member[]>
  /** How far the group of each member has to be before the partition is read on. */
  readonly #needs: Map<PartitionInput, Float64Array> = new Map()
  readonly #least: Float64Array
  /** Partitions with rows that waited when they were looked at last. */
  readonly #waiting: Set<PartitionInput> = new Set()

  constructor(
    plan: Plan,
    originsOfSource: ReadonlyMap<number, readonly EventTimeOrigin[]>,
    standings: Standings,
  ) {
    const names = alignmentGroups(plan)
    const groups = names.map((): EventTimeOrigin[] => [])
    const membersOf = new Map<number, readonly Member[]>()
    for (const [source, origins] of originsOfSource) {
      const members = origins.flatMap((origin): Member[] => {
        const node = plan.nodes[origin.id]
        if (node?.kind !== 'event-time' || node.alignment === undefined) return []
        const group = names.indexOf(node.alignment.group)
        if (groups[group]?.includes(origin) === false) groups[group].push(origin)
        return [{ origin, group, maxDrift: node.alignment.maxDrift }]
      })
      if (members.length > 0) membersOf.set(source, members)
    }
    this.#standings = standings
    this.#groups = groups
    this.#membersOf = membersOf
    this.#least = new Float64Array(groups.length)
  }

  /** Whether a partition with rows waits now. */
  get waits(): boolean {
    return this.#waiting.size > 0
  }

  /** Names of partitions that wait. */
  get waiting(): readonly string[] {
    return [...this.#waiting].map(({ channel }) => channel)
  }

  /** Tells the other subtasks how far this one is, and hears how far they are. */
  look(): void {
    for (const [group, origins] of this.#groups.entries()) {
      let least = Number.POSITIVE_INFINITY
      for (const origin of origins) least = Math.min(least, origin.least)
      this.#standings.tell(group, least)
      this.#least[group] = this.#standings.least(group)
    }
  }

  /** Whether a partition that has rows is not to be read yet, as of the last look. */
  holds(input: PartitionInput): boolean {
    const members = this.#membersOf.get(input.source)
    if (members === undefined) return false
    const needs = this.#needsOf(input, members)
    for (let i = 0; i < needs.length; i++) {
      if (this.#least[members[i]!.group]! >= needs[i]!) continue
      this.#waiting.add(input)
      return true
    }
    this.#waiting.delete(input)
    return false
  }

  /** A batch of this partition was processed. */
  read(input: PartitionInput): void {
    const members = this.#membersOf.get(input.source)
    if (members === undefined) return
    const needs = this.#needsOf(input, members)
    for (let i = 0; i < needs.length; i++) {
      const { origin, maxDrift } = members[i]!
      needs[i] = origin.reached - maxDrift
    }
    this.look()
  }

  #needsOf(input: PartitionInput, members: readonly Member[]): Float64Array {
    let needs = this.#needs.get(input)
    if (needs === undefined) {
      // Not read in this life: where the snapshot says, or at the beginning of time.
      needs = Float64Array.from(members, ({ origin, maxDrift }) => {
        const { watermark = timestampMin } = origin.channelAt(input.channel) ?? {}
        return Math.max(timestampMin, watermark) - maxDrift
      })
      this.#needs.set(input, needs)
    }
    return needs
  }
}
