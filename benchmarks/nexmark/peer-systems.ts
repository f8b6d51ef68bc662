/** The systems that `nexmark peer` compares, which queries each of them has, and what a run of one reports. */
import { type LoopName, loops } from './loops.ts'
import { libraryQueries } from './peer-steps.ts'
import type { EngineQuery } from './queries.ts'

export const systems = ['tidemill', 'flink', 'rxjs', 'streams', 'async-generators', 'loop'] as const
export type System = (typeof systems)[number]

/** q12 is left out: its windows are those of the clock, so no two systems have the same rows. */
export type PeerQuery = Exclude<EngineQuery, 'q12'> & LoopName
export const peerQueries = (Object.keys(loops) as LoopName[]).filter(
  (query): query is PeerQuery => query !== 'q12',
)

/** q13 joins with a table in memory, for which Flink SQL has no connector without a server. */
const notInFlink: readonly PeerQuery[] = ['q13']

export function has(system: System, query: PeerQuery): boolean {
  switch (system) {
    case 'tidemill':
    case 'loop':
      return true
    case 'flink':
      return !notInFlink.includes(query)
    case 'rxjs':
    case 'streams':
    case 'async-generators':
      return libraryQueries.some((one) => one === query)
  }
}

export interface PeerRequest {
  readonly system: System
  readonly query: PeerQuery
  readonly path: string
  readonly events: number
  readonly warmupEvents: number
  readonly checkpointIntervalMs: number
}

/** Time used by the whole process of the system, its start included. */
interface Used {
  readonly events: number
  readonly wallMs: number
  readonly cpuUserMs: number
  readonly cpuSysMs: number
}

export interface PeerFigures extends Used {
  readonly rows: number
  readonly checksum: number
  /** Checkpoints that were completed, the last one at the end of the input included. */
  readonly checkpoints: number
  /** The part after the warm-up. */
  readonly timed: Used
  readonly peakRssBytes: number
  readonly gcMs: number
  readonly gcMaxPauseMs: number
  readonly versions: Readonly<Record<string, string>>
}

export function eventsPerCpuSec({ events, cpuUserMs, cpuSysMs }: Used): number {
  return Math.round(events / ((cpuUserMs + cpuSysMs) / 1000))
}

export function eventsPerSecWall({ events, wallMs }: Used): number {
  return Math.round(events / (wallMs / 1000))
}

const TIMED_CPU_MS_MIN = 5_000
const CHECKPOINTS_MIN = 2

/** Engines promise exactly-once results and pay for it with checkpoints; the others promise nothing. */
export function isEngine(system: System): system is 'tidemill' | 'flink' {
  return system === 'tidemill' || system === 'flink'
}

/** Why the figures of a run, right as its results may be, only show the order of size. */
export function indicativeReason(
  system: System,
  { timed, checkpoints }: Pick<PeerFigures, 'timed' | 'checkpoints'>,
): string | undefined {
  if (timed.cpuUserMs + timed.cpuSysMs < TIMED_CPU_MS_MIN)
    return 'less than 5 s of CPU after the warm-up'
  if (isEngine(system) && checkpoints < CHECKPOINTS_MIN) return 'less than two checkpoints'
  return undefined
}
