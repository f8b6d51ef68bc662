/**
 * `nexmark chaos`: queries as `tidemill run` processes on four partitions of D2, killed at random moments and started
 * again with another number of workers - 1, then 4, then 2. What the file sink shows in the end has to be right.
 */
import {
  type FSWatcher,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listOf, parseOptions, positive } from './arguments.ts'
import { digestOfResult, Expectations } from './correct.ts'
import { datasets } from './dataset.ts'
import { writeJsonLines } from './jsonl.ts'
import { type EngineQuery, engineQueries, groupOf } from './queries.ts'

export const chaosUsage = `Usage: npm run bench -- nexmark chaos [options]

  --queries LIST  ${engineQueries.join(',')} (default: all)
  --g 1,1000      size of the groups within which events are out of order; a list runs each (default: 1,1000)
  --ends N        kills in all, at most two per run (default: 50)
  --seed N        of the moments (default: 1)
  --json          one JSON object per line`

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const JOB = fileURLToPath(new URL('./chaos.job.ts', import.meta.url))
const PARTITIONS = 4
/** Workers of the lives of a run. */
const WORKERS = [1, 4, 2] as const
const CHECKPOINT_INTERVAL = '25ms'

interface Run {
  readonly query: EngineQuery
  readonly g: number
  readonly workers: readonly number[]
  readonly kills: number
  /** Kills after which there was a checkpoint to go on from. */
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
    ends: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  })
  const chosen = listOf('--queries', values['queries'], engineQueries)
  const gs = listOf('--g', values['g'], ['1', '1000']).map(Number)
  const wanted = positive('--ends', values['ends'])
  const random = seeded(positive('--seed', values['seed']))
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-chaos-'))
  let [kills, midRun, runs, wrong] = [0, 0, 0, 0]
  try {
    const inputs = new Map(gs.map((g) => [g, dealtLines(g, join(folder, `input-${g}`))]))
    const expected = new Map(gs.map((g) => [g, new Expectations('D2', g)]))
    const configurations = chosen.flatMap((query) => gs.map((g) => ({ query, g })))
    while (kills < wanted) {
      const { query, g } = configurations[runs % configurations.length]!
      const killsMax = Math.min(WORKERS.length - 1, wanted - kills)
      const at = join(folder, 'run')
      const digestExpected = expected.get(g)!.of(query).digest
      const done = await run({ query, input: inputs.get(g)!, folder: at, killsMax, random })
      const digest = digestOfResult(query, done.rows)
      const valid = done.error === undefined && digest === digestExpected
      const result: Run = {
        query,
        g,
        ...done,
        rows: done.rows.length,
        digest,
        digestExpected,
        valid,
      }
      console.log(values['json'] === true ? JSON.stringify(result) : textLine(result))
      kills += done.kills
      midRun += done.midRun
      runs++
      if (!valid) wrong++
      rmSync(at, { recursive: true, force: true })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const total = { kills, midRun, runs, wrong }
  console.log(
    values['json'] === true
      ? JSON.stringify(total)
      : `${kills} kills, ${runs} runs, ${wrong} wrong`,
  )
  return wrong === 0 ? 0 : 1
}

interface Plan {
  readonly query: EngineQuery
  readonly input: readonly string[]
  readonly folder: string
  readonly killsMax: number
  readonly random: () => number
}

interface Done extends Pick<Run, 'workers' | 'kills' | 'midRun' | 'error'> {
  readonly rows: readonly unknown[]
}

async function run({ query, input, folder, killsMax, random }: Plan): Promise<Done> {
  const output = join(folder, 'output')
  const state = join(folder, 'state')
  const checkpoints = join(state, 'checkpoints')
  mkdirSync(checkpoints, { recursive: true })
  const params = { query, input: input.join(','), output }
  const workers: number[] = []
  let [kills, midRun] = [0, 0]
  for (;;) {
    const count = WORKERS[kills] ?? 1 + Math.floor(random() * 4)
    workers.push(count)
    const argv = ['run', JOB, '--state', state, '--workers', String(count)]
    argv.push('--checkpoint-interval', CHECKPOINT_INTERVAL)
    for (const [name, value] of Object.entries(params)) argv.push('--param', `${name}=${value}`)
    const aim = kills < killsMax ? aimed(random) : undefined
    const { signal, exitCode, errors } = await life(argv, checkpoints, aim)
    if (signal === 'SIGKILL') {
      kills++
      if (readdirSync(checkpoints).some((name) => name.endsWith('.manifest'))) midRun++
      continue
    }
    const error = exitCode === 0 ? undefined : `ended with ${exitCode ?? signal}: ${errors.trim()}`
    return { workers, kills, midRun, error, rows: resultRows(query, join(output, 'results')) }
  }
}

/** At so many changes of the folder of checkpoints after so many manifests: between checkpoints and inside of them. */
interface Aim {
  readonly manifests: number
  readonly changes: number
}

function aimed(random: () => number): Aim {
  return { manifests: Math.floor(random() * 4), changes: 1 + Math.floor(random() * 8) }
}

interface LifeEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly errors: string
}

/** One process, killed when changes of a folder say so. */
function life(argv: readonly string[], folder: string, aim: Aim | undefined): Promise<LifeEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['bin/tidemill.js', ...argv], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    let [manifests, changes] = [0, 0]
    let watcher: FSWatcher | undefined
    if (aim !== undefined) {
      watcher = watch(folder, (_event, name) => {
        if (manifests >= aim.manifests && ++changes === aim.changes) child.kill('SIGKILL')
        if (name?.endsWith('.manifest')) manifests++
      })
    }
    child.on('error', reject)
    child.on('close', (exitCode, signal) => {
      watcher?.close()
      resolve({ exitCode, signal, errors })
    })
  })
}

/** What the sink shows; of rows that replace earlier ones the last of each group, which has seen most bids. */
function resultRows(query: EngineQuery, folder: string): readonly unknown[] {
  const rows = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1))
    .map((line): { readonly bids: number } => JSON.parse(line))
  const group = groupOf[query] as ((row: unknown) => string | number) | undefined
  if (group === undefined) return rows
  const last = new Map<string | number, { readonly bids: number }>()
  for (const row of rows) {
    const key = group(row)
    if (row.bids > (last.get(key)?.bids ?? 0)) last.set(key, row)
  }
  return [...last.values()]
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

function textLine({
  query,
  g,
  workers,
  kills,
  rows,
  digest,
  digestExpected,
  valid,
  error,
}: Run): string {
  const verdict = valid ? 'valid' : (error ?? `WRONG, expected ${digestExpected}`)
  const way = workers.join(' -> ').padEnd(11)
  return [
    query.padEnd(4),
    `G=${g}`.padEnd(6),
    way,
    `${kills} kills`,
    String(rows).padStart(6),
    digest,
    verdict,
  ].join('  ')
}
