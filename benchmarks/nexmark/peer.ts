/**
 * `nexmark peer`: the same JSON lines file through Tidemill, through Flink SQL in one JVM, and through what one would
 * write in JavaScript without an engine (metric P1). Runs alternate, each in a process of its own that reads the file
 * once. Two figures a run: events per CPU second of the whole process, its start included, and of the part after the
 * first fifth of the events. See `../README.md`.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { listOf, oneOf, parseOptions, positive, UsageError } from './arguments.ts'
import { correct } from './correct.ts'
import { type Dataset, datasets } from './dataset.ts'
import { expectedD2, expectedD3 } from './expected.ts'
import { type JsonLinesFile, writeJsonLines } from './jsonl.ts'
import { type Flink, prepareFlink } from './peer-flink.ts'
import {
  eventsPerCpuSec,
  eventsPerSecWall,
  has,
  indicativeReason,
  isEngine,
  type PeerFigures,
  type PeerQuery,
  type PeerRequest,
  peerQueries,
  type System,
  systems,
} from './peer-systems.ts'
import { type PeerRun, summarise, tableOf } from './peer-table.ts'
import { describeMachine, identity } from './provenance.ts'
import { segmentDataset } from './segments.ts'

export const peerUsage = `Usage: npm run bench -- nexmark peer [options]

  --systems LIST      ${systems.join(',')} (default: all)
  --queries LIST      ${peerQueries.join(',')} (default: all)
  --dataset D2|D3     100,000 or 1,000,000 events (default: D3)
  --events N          the first N events of D4 instead, a multiple of 5000
  --repetitions N     runs of each system, in turn (default: 3)
  --checkpoint-ms N   between checkpoints of Tidemill and Flink (default: 10000)
  --report PATH       also writes PATH.jsonl, one object per run, and PATH.md, the table
  --json              one JSON object per line and run, then a summary of each query and one of all

Flink needs java, javac and mvn, the latter for the first run only.`

interface Settings {
  readonly queries: readonly PeerQuery[]
  readonly systems: readonly System[]
  readonly dataset: Dataset
  readonly repetitions: number
  readonly checkpointIntervalMs: number
  readonly json: boolean
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export async function peerCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    systems: { type: 'string', default: systems.join(',') },
    queries: { type: 'string', default: peerQueries.join(',') },
    dataset: { type: 'string', default: 'D3' },
    events: { type: 'string' },
    repetitions: { type: 'string', default: '3' },
    'checkpoint-ms': { type: 'string', default: '10000' },
    report: { type: 'string' },
    json: { type: 'boolean', default: false },
  })
  const settings: Settings = {
    systems: listOf('--systems', values['systems'], systems),
    queries: listOf('--queries', values['queries'], peerQueries),
    dataset:
      values['events'] === undefined
        ? datasets[oneOf('--dataset', values['dataset'], ['D2', 'D3'])]
        : firstOfD4(positive('--events', values['events'])),
    repetitions: positive('--repetitions', values['repetitions']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
    json: values['json'] === true,
  }
  const report = values['report']
  return compare(settings, typeof report === 'string' ? report : undefined)
}

function firstOfD4(events: number): Dataset {
  try {
    return segmentDataset(events)
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}

async function compare(settings: Settings, report: string | undefined): Promise<number> {
  const { dataset, repetitions, json } = settings
  const input = writeJsonLines(dataset)[0]
  if (input === undefined) throw new Error('the data set has no file')
  const program = await bundle(fileURLToPath(new URL('./peer-run.ts', import.meta.url)))
  const { flink, without } = flinkOf(settings)
  const taking = settings.systems.filter((system) => system !== 'flink' || flink !== undefined)
  const machine = describeMachine()
  const objects: object[] = []
  const runs: PeerRun[] = []
  for (const query of settings.queries) {
    const digests = taking.includes('tidemill') ? await digestsOf(query) : undefined
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      const round: PeerRun[] = []
      for (const system of taking) {
        if (!has(system, query)) continue
        const startedAt = new Date()
        const loadBefore = loadavg()[0] ?? 0
        const request = requestOf(system, query, input, settings)
        const figures = await run(program, flink, request)
        const other = round[0]
        const invalid =
          invalidReason(query, figures, other, dataset) ??
          (system === 'tidemill' && digests?.digest !== digests?.digestExpected
            ? 'the digest on D2 is wrong'
            : undefined)
        const one = { system, query, figures, invalid }
        round.push(one)
        const build = identity(startedAt)
        const object = {
          ...build,
          versions: { ...build.versions, ...figures.versions },
          machine: { ...machine, loadBefore, loadAfter: loadavg()[0] ?? 0 },
          ...describe(one, input, settings),
          ...(system === 'tidemill' ? digests : undefined),
          valid: invalid === undefined,
          invalidReason: invalid ?? null,
          indicativeReason: indicativeReason(system, figures) ?? null,
          repetition,
          of: repetitions,
        }
        objects.push(object)
        if (json) console.log(JSON.stringify(object))
        else console.error(progressLine(one))
      }
      runs.push(...round)
    }
  }
  const summary = summarise(runs)
  const table = tableOf(summary, taking, without)
  if (json) {
    for (const one of summary.queries) console.log(JSON.stringify(one))
    console.log(JSON.stringify({ summary: 'all', ...summary.all, skipped: without ?? null }))
  } else console.log(table)
  if (report !== undefined) {
    mkdirSync(dirname(report), { recursive: true })
    writeFileSync(
      `${report}.jsonl`,
      objects.map((object) => `${JSON.stringify(object)}\n`).join(''),
    )
    writeFileSync(`${report}.md`, `${headOf(settings, taking, runs, machine)}\n\n${table}\n`)
  }
  return summary.all.valid ? 0 : 1
}

/** Flink ready to run, or why the comparison goes on without it. */
function flinkOf({ systems: wanted }: Settings): {
  readonly flink?: Flink
  readonly without?: string
} {
  if (!wanted.includes('flink')) return {}
  const prepared = prepareFlink()
  if (prepared.kind === 'ready') return { flink: prepared }
  console.error(`flink is skipped: ${prepared.reason}`)
  return { without: `flink: ${prepared.reason}` }
}

function requestOf(
  system: System,
  query: PeerQuery,
  { path, events }: JsonLinesFile,
  { checkpointIntervalMs }: Settings,
): PeerRequest {
  const warmupEvents = Math.ceil(events / 5)
  return { system, query, path, events, warmupEvents, checkpointIntervalMs }
}

function run(
  program: string,
  flink: Flink | undefined,
  request: PeerRequest,
): Promise<PeerFigures> {
  const { system, query } = request
  const [command, ...args] =
    system === 'flink' && flink !== undefined
      ? flink.commandOf(request)
      : [process.execPath, program, JSON.stringify(request)]
  return new Promise((resolve, reject) => {
    const child = spawn(command ?? '', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code !== 0) reject(new Error(`${system} ${query} ended with ${code}\n${errors}`))
      else resolve(JSON.parse(output.trim().split('\n').at(-1) ?? ''))
    })
  })
}

/** Tidemill's own result on D2, read from JSON lines as here, with a sink that keeps the rows. */
async function digestsOf(query: PeerQuery) {
  const request = { queries: [query], dataset: 'D2', profiles: ['S2'], gs: [1], modes: ['stream'] }
  // `as const` would make the arrays above read-only tuples of literals, which is what `correct` takes.
  for await (const { digest, digestExpected } of correct(request as Parameters<typeof correct>[0]))
    return { digest, digestExpected }
  throw new Error('no result to compare with')
}

/** Every system must come to the rows that are known to be right, and to the checksum of the others. */
function invalidReason(
  query: PeerQuery,
  { rows, checksum }: PeerFigures,
  other: PeerRun | undefined,
  { name }: Dataset,
): string | undefined {
  const expected = name === 'D2' ? expectedD2 : name === 'D3' ? expectedD3 : undefined
  if (expected !== undefined && rows !== expected[query].rows)
    return `${rows} rows, expected ${expected[query].rows}`
  if (other === undefined) return undefined
  if (rows === other.figures.rows && checksum === other.figures.checksum) return undefined
  return `${rows} rows with checksum ${checksum}, ${other.system} has ${other.figures.rows} with ${other.figures.checksum}`
}

function describe(
  { system, query, figures }: PeerRun,
  { events, sha256 }: JsonLinesFile,
  { dataset, checkpointIntervalMs }: Settings,
) {
  const { timed, rows, checksum, checkpoints, peakRssBytes, gcMs, gcMaxPauseMs } = figures
  const { wallMs, cpuUserMs, cpuSysMs } = timed
  return {
    system,
    query,
    profile: 'S2',
    sink: 'checksum',
    parallelism: 1,
    dataset: {
      name: dataset.name,
      events,
      generators: dataset.generators,
      rate: dataset.ratePerSec,
      G: dataset.disorder,
      sha256,
    },
    options: isEngine(system) ? engineOptions(system, checkpointIntervalMs) : { guarantee: 'none' },
    warmupEvents: events - timed.events,
    timedEvents: timed.events,
    wallMs,
    cpuUserMs,
    cpuSysMs,
    eventsPerSecWall: eventsPerSecWall(timed),
    eventsPerCpuSec: eventsPerCpuSec(timed),
    wholeProcess: {
      wallMs: figures.wallMs,
      cpuUserMs: figures.cpuUserMs,
      cpuSysMs: figures.cpuSysMs,
      eventsPerSecWall: eventsPerSecWall(figures),
      eventsPerCpuSec: eventsPerCpuSec(figures),
    },
    outputRows: rows,
    checksum,
    peakRssBytes,
    gcMs,
    gcMaxPauseMs,
    checkpoints: isEngine(system) ? { count: checkpoints } : null,
  }
}

function engineOptions(system: 'tidemill' | 'flink', checkpointIntervalMs: number) {
  return {
    guarantee: 'exactly-once',
    checkpointIntervalMs,
    ...(system === 'tidemill'
      ? { stateBackend: 'memory', miniBatch: 'epoch, for q15 q16 q17' }
      : {
          stateBackend: 'hashmap',
          miniBatch: '2 s, 50000 rows',
          objectReuse: true,
          distinctAggSplit: true,
        }),
  }
}

function progressLine({ system, query, figures, invalid }: PeerRun): string {
  const thousand = (rate: number): string => `${Math.round(rate / 1000)} K/s`
  return [
    query.padEnd(4),
    system.padEnd(16),
    `${thousand(eventsPerCpuSec(figures))} whole`.padStart(16),
    `${thousand(eventsPerCpuSec(figures.timed))} after warm-up`.padStart(24),
    invalid === undefined ? '' : `INVALID: ${invalid}`,
  ].join('  ')
}

function headOf(
  { dataset, repetitions, checkpointIntervalMs }: Settings,
  taking: readonly System[],
  runs: readonly PeerRun[],
  { cpuModel, cores, memBytes, os, spin1 }: ReturnType<typeof describeMachine>,
): string {
  const versions = { node: process.versions.node }
  for (const { figures } of runs) Object.assign(versions, figures.versions)
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const data = dataset.name.startsWith('D4')
    ? `--events ${dataset.events}`
    : `--dataset ${dataset.name}`
  const options = `--systems ${taking.join(',')} --repetitions ${repetitions} --checkpoint-ms ${checkpointIntervalMs}`
  const { commit, dirty, startedAt } = identity(new Date())
  return [
    '# The same file through other systems',
    '',
    `Command: \`npm run -s bench -- nexmark peer ${data} ${options}\``,
    '',
    `Commit ${commit}${dirty === true ? ' with changes' : ''}, ${startedAt.slice(0, 10)}, ${cpuModel}, ${cores} cores, ${Math.round(memBytes / 2 ** 30)} GiB, ${os}, ${named.join(', ')}, spin ${spin1}.`,
  ].join('\n')
}
