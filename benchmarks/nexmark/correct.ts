/**
 * `nexmark correct`: runs queries on the engine, exactly once and with checkpoints, and compares the committed rows with
 * the right result.
 *
 * The right result of D2 is published. That of D3 is computed here by the naive reference functions. q12 depends on the
 * clock: its digest is that of the counts per bidder, which do not, and its windows are checked by their invariants.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { milliseconds, pipeline, type Stream } from 'tidemill'
import { listOf, oneOf, parseOptions } from './arguments.ts'
import { datasets } from './dataset.ts'
import { digestOf, digestOfLines } from './digest.ts'
import type { NexmarkEvent } from './event.ts'
import { expectedD2 } from './expected.ts'
import { generateEvents } from './generator.ts'
import { type OpenProfile, openProfile, type Profile, profiles } from './profiles.ts'
import { type EngineQuery, engineQueries, queries, type QueryRows } from './queries.ts'
import { reference } from './reference.ts'
import { q12Violations } from './reference/windows.ts'
import type { BidderWindow } from './results.ts'
import type { EventRow } from './schema.ts'
import { Collector, epochSink } from './sinks.ts'

export const correctUsage = `Usage: npm run bench -- nexmark correct [options]

  --queries LIST      ${engineQueries.join(',')} (default: all)
  --dataset D2|D3     100,000 or 1,000,000 events (default: D2)
  --profile S1|S2|S4  events from frames in memory, JSON lines or the event log; a list runs each (default: S1)
  --g 1|1000          size of the groups within which events are out of order; a list runs each (default: 1)
  --mode stream|batch a list runs each (default: stream)
  --workers 1         how many subtasks share the work, and partitions the input has; a list runs each (default: 1)
  --json              one JSON object per line`

export interface CorrectResult {
  readonly query: EngineQuery
  readonly dataset: 'D2' | 'D3'
  readonly profile: Profile
  readonly g: number
  readonly mode: 'stream' | 'batch'
  readonly parallelism: number
  readonly rows: number
  readonly digest: string
  readonly digestExpected: string
  readonly digestSource: 'published' | 'reference'
  readonly valid: boolean
}

interface Expectation {
  readonly digest: string
  readonly source: CorrectResult['digestSource']
}

/** Short enough for several checkpoints, also on D2. */
const CHECKPOINT_INTERVAL_MS = 50

export interface CorrectRequest {
  readonly queries: readonly EngineQuery[]
  readonly dataset: 'D2' | 'D3'
  readonly profiles: readonly Profile[]
  readonly gs: readonly number[]
  readonly modes: readonly ('stream' | 'batch')[]
  readonly workers?: readonly number[]
}

export async function correctCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    queries: { type: 'string', default: engineQueries.join(',') },
    dataset: { type: 'string', default: 'D2' },
    profile: { type: 'string', default: 'S1' },
    g: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'stream' },
    workers: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  })
  const request: CorrectRequest = {
    queries: listOf('--queries', values['queries'], engineQueries),
    dataset: oneOf('--dataset', values['dataset'], ['D2', 'D3']),
    profiles: listOf('--profile', values['profile'], profiles),
    gs: listOf('--g', values['g'], ['1', '1000']).map(Number),
    modes: listOf('--mode', values['mode'], ['stream', 'batch']),
    workers: listOf('--workers', values['workers'], ['1', '2', '3', '4']).map(Number),
  }
  let valid = true
  for await (const result of correct(request)) {
    valid &&= result.valid
    console.log(values['json'] === true ? JSON.stringify(result) : textLine(result))
  }
  return valid ? 0 : 1
}

/** The results, one after the other. */
export async function* correct(request: CorrectRequest): AsyncGenerator<CorrectResult> {
  for (const g of request.gs) {
    const dataset = { ...datasets[request.dataset], disorder: g }
    const expectations = new Expectations(request.dataset, g)
    for (const name of request.profiles) {
      for (const workers of request.workers ?? [1]) {
        const profile = await openProfile(name, dataset, workers)
        try {
          for (const mode of request.modes) {
            for (const query of request.queries) {
              const expected = expectations.of(query)
              const rows = await collect(query, profile, mode, workers)
              const digest = digestOfResult(query, rows)
              const valid = digest === expected.digest && expectations.holds(query, rows)
              yield {
                query,
                dataset: request.dataset,
                profile: name,
                g,
                mode,
                parallelism: workers,
                rows: rows.length,
                digest,
                digestExpected: expected.digest,
                digestSource: expected.source,
                valid,
              }
            }
          }
        } finally {
          profile.close()
        }
      }
    }
  }
}

/** What is right, computed at most once per query. */
export class Expectations {
  readonly #dataset: 'D2' | 'D3'
  readonly #g: number
  readonly #known: Map<EngineQuery, Expectation> = new Map()
  #events: readonly NexmarkEvent[] | undefined

  constructor(dataset: 'D2' | 'D3', g: number) {
    this.#dataset = dataset
    this.#g = g
  }

  of(query: EngineQuery): Expectation {
    let known = this.#known.get(query)
    if (known === undefined) {
      known = this.#find(query)
      this.#known.set(query, known)
    }
    return known
  }

  /** Invariants beyond the digest. */
  holds(query: EngineQuery, rows: readonly unknown[]): boolean {
    if (query !== 'q12') return true
    // `as`: rows of q12.
    return q12Violations(this.#all(), rows as readonly BidderWindow[]).length === 0
  }

  #find(query: EngineQuery): Expectation {
    if (query === 'q12') {
      const bids = this.#all().filter((event) => event.type === 'bid')
      const rows = bids.map(({ bidder }) => ({ bidder, count: 1 }))
      return { digest: digestOfCounts(rows), source: 'reference' }
    }
    if (this.#dataset === 'D2') return { digest: expectedD2[query].digest, source: 'published' }
    const find: (rows: readonly NexmarkEvent[]) => readonly never[] = reference[query] as never
    return { digest: digestOf(query, find(this.#all())), source: 'reference' }
  }

  #all(): readonly NexmarkEvent[] {
    this.#events ??= generateEvents({ ...datasets[this.#dataset], disorder: this.#g })
    return this.#events
  }
}

/** The committed rows of a query, exactly once. */
export async function collect<Query extends EngineQuery>(
  query: Query,
  profile: OpenProfile,
  mode: 'stream' | 'batch',
  workers: number = 1,
): Promise<readonly QueryRows[Query][]> {
  const state = mkdtempSync(join(tmpdir(), 'tidemill-nexmark-'))
  try {
    const collector = new Collector(query)
    const app = pipeline(`nexmark-${query}`)
    // `as`: the table of queries gives this query this row type.
    const build = queries[query] as (events: Stream<EventRow>) => Stream<QueryRows[Query]>
    build(app.from('events', profile.source())).to('results', epochSink('collect', collector))
    const checkpointInterval = milliseconds(CHECKPOINT_INTERVAL_MS)
    await app.run({ state: join(state, 'state'), mode, checkpointInterval, workers })
    return collector.rows
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

export function digestOfResult(query: EngineQuery, rows: readonly unknown[]): string {
  // `as`: both are rows of this query.
  if (query === 'q12') return digestOfCounts(rows as readonly BidderWindow[])
  return digestOf(query, rows as readonly never[])
}

function digestOfCounts(rows: readonly Pick<BidderWindow, 'bidder' | 'count'>[]): string {
  const counts = new Map<number, number>()
  for (const { bidder, count } of rows) counts.set(bidder, (counts.get(bidder) ?? 0) + count)
  return digestOfLines([...counts].map(([bidder, count]) => `${bidder}|${count}`))
}

function textLine(result: CorrectResult): string {
  const { query, dataset, profile, g, mode, parallelism, rows, digest, digestExpected, valid } =
    result
  const verdict = valid ? 'valid' : `WRONG, expected ${digestExpected}`
  return [
    query.padEnd(4),
    dataset,
    profile,
    `G=${g}`.padEnd(6),
    mode.padEnd(6),
    `p=${parallelism}`,
    String(rows).padStart(8),
    digest,
    verdict,
  ].join('  ')
}
