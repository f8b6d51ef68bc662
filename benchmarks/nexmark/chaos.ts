/**
 * `nexmark chaos`: queries as `tidemill run` processes on four partitions of D2, whose processes and worker threads end
 * at random moments. What the file sink shows in the end has to be right: with 1 to 4 workers, and when their number
 * changes from 1 to 4 to 2 in mid-run.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listOf, parseOptions, positive } from './arguments.ts'
import { chaosRun, type EndKind, endKinds, type LifePlan } from './chaos-run.ts'
import { digestOfResult, Expectations } from './correct.ts'
import { datasets } from './dataset.ts'
import { writeJsonLines } from './jsonl.ts'
import { type EngineQuery, engineQueries } from './queries.ts'

const ways = ['1', '2', '3', '4', 'rescale'] as const
type Way = (typeof ways)[number]

export const chaosUsage = `Usage: npm run bench -- nexmark chaos [options]

  --queries LIST  ${engineQueries.join(',')} (default: all)
  --g 1,1000      size of the groups within which events are out of order; a list runs each (default: 1,1000)
  --workers LIST  ${ways.join(',')}: workers of all lives, or 1, then 4, then 2 (default: all)
  --ends N        for each query, spread over the values above: processes killed (SIGKILL), threads ended by terminate(),
                  process.exit or an exhausted heap (default: 50)
  --seed N        of the moments (default: 1)
  --json          one JSON object per line`

const PARTITIONS = 4
/** Fewer ends would not reach the last number of workers. */
const RESCALE_ENDS_MIN = 2
/** A run may be through before all its ends have happened; then it is made again, so many times. */
const ROUNDS_MAX = 6

interface Configuration {
  readonly query: EngineQuery
  readonly g: number
  readonly way: Way
}

interface Run extends Configuration {
  /** Of each life, in order. */
  readonly workers: readonly number[]
  readonly ends: Readonly<Partial<Record<EndKind, number>>>
  /** Ends after which there was a checkpoint to go on from. */
  readonly midRun: number
  readonly rows: number
  readonly digest: string
  readonly digestExpected: string
  readonly valid: boolean
  readonly error: string | undefined
}

export async function chaosCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    queries: { type: 'string', default: engineQueries.join(',') },
    g: { type: 'string', default: '1,1000' },
    workers: { type: 'string', default: ways.join(',') },
    ends: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  })
  const json = values['json'] === true
  const chosen = listOf('--queries', values['queries'], engineQueries)
  const gs = listOf('--g', values['g'], ['1', '1000']).map(Number)
  const waysChosen = listOf('--workers', values['workers'], ways)
  const perQuery = positive('--ends', values['ends'])
  const random = seeded(positive('--seed', values['seed']))
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-chaos-'))
  const total = { ends: 0, midRun: 0, runs: 0, wrong: 0, short: 0 }
  const kinds: Partial<Record<EndKind, number>> = {}
  try {
    const inputs = new Map(gs.map((g) => [g, dealtLines(g, join(folder, `input-${g}`))]))
    const expected = new Map(gs.map((g) => [g, new Expectations('D2', g)]))
    const runOf = async (configuration: Configuration, ends: number): Promise<Run> => {
      const { query, g, way } = configuration
      const at = join(folder, 'run')
      const lives = way === 'rescale' ? rescaled(ends, random) : steady(Number(way), ends, random)
      const done = await chaosRun({ query, input: inputs.get(g)!, folder: at, lives, random })
      rmSync(at, { recursive: true, force: true })
      const digest = digestOfResult(query, done.rows)
      const digestExpected = expected.get(g)!.of(query).digest
      const valid =
        done.error === undefined &&
        digest === digestExpected &&
        expected.get(g)!.holds(query, done.rows)
      return {
        ...configuration,
        ...done,
        ends: counted(done.ends.map(({ kind }) => kind)),
        midRun: done.ends.filter((end) => end.midRun).length,
        rows: done.rows.length,
        digest,
        digestExpected,
        valid,
      }
    }
    for (const query of chosen) {
      const configurations = gs.flatMap((g) => waysChosen.map((way) => ({ query, g, way })))
      const each = Math.ceil(perQuery / configurations.length)
      for (const configuration of configurations) {
        const { way } = configuration
        const wanted = way === 'rescale' ? Math.max(each, RESCALE_ENDS_MIN) : each
        let [happened, complete] = [0, false]
        for (let round = 0; round < ROUNDS_MAX && !(complete && happened >= wanted); round++) {
          const run = await runOf(configuration, wanted)
          console.log(json ? JSON.stringify(run) : textLine(run))
          happened += run.midRun
          complete ||= run.workers.length > 1 && (way !== 'rescale' || run.workers.at(-1) === 2)
          for (const [kind, count] of Object.entries(run.ends) as [EndKind, number][]) {
            kinds[kind] = (kinds[kind] ?? 0) + count
            total.ends += count
          }
          total.midRun += run.midRun
          total.runs++
          if (!run.valid) total.wrong++
        }
        if (!complete || happened < wanted) total.short++
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(
    json
      ? JSON.stringify({ ...total, kinds })
      : `${total.ends} ends (${total.midRun} in mid-run), ${total.runs} runs, ${total.wrong} wrong, ${total.short} configurations with too few ends`,
  )
  return total.wrong === 0 && total.short === 0 ? 0 : 1
}

function steady(workers: number, ends: number, random: () => number): readonly LifePlan[] {
  const lives = Array.from({ length: ends }, () => ({
    workers,
    end: endKinds[Math.floor(random() * endKinds.length)],
  }))
  return [...lives, { workers, end: undefined }]
}

/** The number of workers changes where a process is killed; ends of threads are in between. */
function rescaled(ends: number, random: () => number): readonly LifePlan[] {
  const inThreads = endKinds.filter((kind) => kind !== 'SIGKILL')
  const lives = [1, 4, 2].map((workers, station) => {
    const others = Math.floor((ends - RESCALE_ENDS_MIN + 2 - station) / 3)
    return Array.from({ length: others + 1 }, (_, n) => ({
      workers,
      end:
        n < others
          ? inThreads[Math.floor(random() * inThreads.length)]
          : station < 2
            ? endKinds[0]
            : undefined,
    }))
  })
  return lives.flat()
}

function counted(kinds: readonly EndKind[]): Run['ends'] {
  return Object.fromEntries(
    endKinds.flatMap((kind) => {
      const count = kinds.filter((one) => one === kind).length
      return count === 0 ? [] : [[kind, count]]
    }),
  )
}

/** The lines of D2, dealt to partitions in turn. */
function dealtLines(g: number, folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true })
  const texts = writeJsonLines({ ...datasets.D2, disorder: g }).map(({ path }) =>
    readFileSync(path, 'latin1'),
  )
  const lines = texts.join('').split('\n').slice(0, -1)
  return Array.from({ length: PARTITIONS }, (_, part) => {
    const path = join(folder, `part-${part}.jsonl`)
    const own = lines.filter((_line, index) => index % PARTITIONS === part)
    writeFileSync(path, `${own.join('\n')}\n`, 'latin1')
    return path
  })
}

function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

function textLine({ query, g, way, workers, ends, midRun, rows, digest, ...run }: Run): string {
  const verdict = run.valid ? 'valid' : (run.error ?? `WRONG, expected ${run.digestExpected}`)
  const kinds = Object.entries(ends).map(([kind, count]) => `${count} ${kind}`)
  return [
    query.padEnd(4),
    `G=${g}`.padEnd(6),
    way.padEnd(7),
    workers.join('>').padEnd(11),
    `${midRun} in mid-run: ${kinds.join(' ')}`,
    String(rows).padStart(6),
    digest,
    verdict,
  ].join('  ')
}
