/**
 * One run of a job that is killed again and again until it is through, and the judgement over what it left:
 *
 *  - committed results equal those of an undisturbed run, as multisets per sink;
 *  - nothing that was visible ever changed, vanished or was half a file;
 *  - the ledger balances and its counts are those of the undisturbed run;
 *  - no unfinished file is left, and starting once more changes nothing.
 */
import { type FSWatcher, mkdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import {
  checkLedger,
  formatLedgerProblem,
  type Ledger,
  ledgerParts,
} from '../../src/checkpoint/ledger.ts'
import type { ObserverProcess } from './observer-process.ts'
import { runArguments, runProgram, startProgram, type ProgramEnd } from './program.ts'
import { leftovers, type Scenario } from './scenarios.ts'

/** What an undisturbed run gave. */
export interface Undisturbed {
  readonly committed: Readonly<Record<string, readonly string[]>>
  readonly summary: Readonly<Record<string, unknown>>
  readonly wallMs: number
  /** From the start of the process to the end of one that has nothing to do. */
  readonly startMs: number
}

export interface KillRun {
  readonly kills: number
  /** Worker threads that were seen to end, after which the process went on. */
  readonly threadEnds: number
  /** Workers of each start, in order. */
  readonly workers: readonly number[]
  readonly lives: number
  readonly wallMs: number
  readonly looks: number
  readonly lines: number
  /** What a start with nothing to do took at the end: how fast the machine is by now. */
  readonly startMs: number
  readonly problems: readonly string[]
}

export interface KillPlan {
  readonly scenario: Scenario
  readonly folder: string
  readonly undisturbed: Undisturbed
  readonly observer: ObserverProcess
  /** No more than so many; a run that is through before has fewer. */
  readonly killsMax: number
  /** In [0, 1), seeded. */
  readonly random: () => number
}

const workersMax = 4

/** A life that takes longer hangs. */
const lifeMsMax = 120_000

export async function killedRun(plan: KillPlan): Promise<KillRun> {
  const { scenario, folder, observer, undisturbed, killsMax, random } = plan
  const startedMs = performance.now()
  mkdirSync(folder, { recursive: true })
  observer.watch(scenario.watched(folder))
  const run = scenario.run(folder)
  const workers: number[] = []
  /** Each life has a number of workers of its own, so state moves between subtasks at kills. */
  const start = async (aim: Aim | undefined, ends: ThreadEnd | undefined): Promise<ProgramEnd> => {
    const count = 1 + Math.floor(random() * workersMax)
    workers.push(count)
    const argv = runArguments({ ...run, more: ['--workers', String(count)] })
    return await life(argv, aim, ends && threadEndOf(ends, count))
  }
  let kills = 0
  let threadEnds = 0
  let end: ProgramEnd
  do {
    end = await start(kills < killsMax ? aim(plan, random) : undefined, threadEnd(plan, random))
    if (end.stderr.includes('starts again')) threadEnds++
    if (end.signal === 'SIGKILL') kills++
  } while (end.signal === 'SIGKILL')
  const lives = workers.length
  const againAtMs = performance.now()
  const again = await life(runArguments(run), undefined)
  const startMs = performance.now() - againAtMs
  const sighting = await observer.stop()
  const problems = [
    ...sighting.violations,
    ...judgeEnd('the last life', end, undisturbed),
    ...judgeEnd('a start after the end', again, undisturbed, 'already-finished'),
    ...differences(undisturbed.committed, scenario.committed(folder, sighting.values)),
    ...leftovers(folder).map((path) => `${path} was left behind`),
  ]
  if (sighting.lines === 0) problems.push('the observer saw nothing')
  const { looks, lines } = sighting
  const wallMs = performance.now() - startedMs
  return { kills, threadEnds, workers, lives, wallMs, looks, lines, startMs, problems }
}

/** Runs the job once without harm. */
export async function undisturbedRun(
  scenario: Scenario,
  folder: string,
  observer: ObserverProcess,
): Promise<Undisturbed> {
  mkdirSync(folder, { recursive: true })
  observer.watch(scenario.watched(folder))
  const argv = runArguments(scenario.run(folder))
  const startedMs = performance.now()
  const end = await runProgram(argv)
  const wallMs = performance.now() - startedMs
  await runProgram(argv)
  const startMs = performance.now() - startedMs - wallMs
  const sighting = await observer.stop()
  if (end.exitCode !== 0) throw new Error(`${scenario.name} fails by itself: ${end.stderr}`)
  const committed = scenario.committed(folder, sighting.values)
  const problems = [...sighting.violations, ...differences(scenario.expected(), committed)]
  if (problems.length > 0)
    throw new Error(
      `${scenario.name} (${scenario.mode}) is wrong undisturbed:\n${problems.join('\n')}`,
    )
  return { committed, summary: end.summary, wallMs, startMs }
}

/** When to kill: after a time, or at the n-th change of a directory that commits go through. */
type Aim =
  | { readonly afterMs: number }
  | { readonly directory: string; readonly change: number; readonly afterMs: number }

function aim({ scenario, folder, undisturbed }: KillPlan, random: () => number): Aim {
  const { wallMs, startMs } = undisturbed
  const kind = random()
  const at = random()
  const inOwner = kind >= 0.9
  // An owner is recorded once per life; a checkpoint is several changes.
  const change = 1 + Math.floor(random() * (inOwner ? 3 : 8))
  const later = wallMs * 1.1
  if (kind < 0.15) return { afterMs: 2 + at * startMs * 0.9 }
  if (kind < 0.35) return { afterMs: startMs * (0.8 + at * 0.6) }
  if (kind < 0.7)
    return { afterMs: startMs * 0.9 + at * Math.max(300, later - startMs * 0.9) * 0.7 }
  const state = scenario.run(folder).state
  return { directory: join(state, inOwner ? 'owner' : 'checkpoints'), change, afterMs: later }
}

/** How a worker thread of a start ends, while its process lives on. */
interface ThreadEnd {
  readonly what: 'exit' | 'throw' | 'memory'
  /** Which of them, in [0, 1). */
  readonly which: number
  readonly afterMs: number
}

function threadEnd({ undisturbed }: KillPlan, random: () => number): ThreadEnd | undefined {
  const [happens, kind, which, at] = [random(), random(), random(), random()]
  if (happens >= 0.5) return undefined
  const what = kind < 0.45 ? 'exit' : kind < 0.8 ? 'throw' : 'memory'
  return { what, which, afterMs: at * (undisturbed.wallMs - undisturbed.startMs * 0.7) }
}

function threadEndOf({ what, which, afterMs }: ThreadEnd, workers: number): Variables {
  const thread = 1 + Math.floor(which * workers)
  return {
    THREAD_END: `${what}@${thread}@${Math.round(afterMs)}`,
    // Exhausting it takes less than a second, and the job has enough.
    ...(what === 'memory' ? { NODE_OPTIONS: '--max-old-space-size=192' } : {}),
  }
}

type Variables = Readonly<Record<string, string>>

async function life(
  argv: readonly string[],
  aim: Aim | undefined,
  env: Variables = {},
): Promise<ProgramEnd> {
  const program = startProgram(argv, { env })
  const kill = (): void => void program.child.kill('SIGKILL')
  const hang = setTimeout(() => {
    program.child.kill('SIGABRT')
  }, lifeMsMax)
  const timer = aim === undefined ? undefined : setTimeout(kill, aim.afterMs)
  let watcher: FSWatcher | undefined
  if (aim !== undefined && 'directory' in aim) {
    mkdirSync(aim.directory, { recursive: true })
    let changes = 0
    watcher = watch(aim.directory, () => {
      if (++changes === aim.change) kill()
    })
  }
  try {
    return await program.ended
  } finally {
    clearTimeout(hang)
    clearTimeout(timer)
    watcher?.close()
  }
}

function judgeEnd(
  what: string,
  { exitCode, signal, stderr, summary }: ProgramEnd,
  undisturbed: Undisturbed,
  status?: string,
): readonly string[] {
  if (exitCode !== 0) return [`${what} ended with ${exitCode ?? signal}: ${stderr}`]
  const problems: string[] = []
  // Killed between its last commit and its end, a job is finished when it is started again.
  const allowed = status === undefined ? ['finished', 'already-finished'] : [status]
  if (!allowed.includes(String(summary['status'])))
    problems.push(`${what} has the status ${summary['status']}`)
  for (const name of ['recordsRead', 'recordsWritten', 'recordsLate', 'recordsRejected']) {
    if (summary[name] !== undisturbed.summary[name])
      problems.push(
        `${what}: ${name} is ${summary[name]}, undisturbed ${undisturbed.summary[name]}`,
      )
  }
  const ledger = summary['ledger'] as Ledger
  problems.push(...checkLedger(ledger).map((problem) => `${what}: ${formatLedgerProblem(problem)}`))
  const want = new Set(ledgerEntries(undisturbed.summary['ledger'] as Ledger))
  const have = new Set(ledgerEntries(ledger))
  for (const entry of have) if (!want.has(entry)) problems.push(`${what}: the ledger has ${entry}`)
  for (const entry of want)
    if (!have.has(entry)) problems.push(`${what}: the ledger lacks ${entry}`)
  return problems
}

/** What a ledger counts, but for what its workers exchange: the undisturbed run has one worker and no exchange. */
function ledgerEntries(ledger: Ledger): readonly string[] {
  const counted = { ...ledger, edges: ledger.edges.filter(({ name }) => !isExchange(name)) }
  return ledgerParts.flatMap((part) =>
    counted[part].map((entry) => `${part} ${JSON.stringify(entry)}`),
  )
}

const isExchange = (edge: string) => /^exchange \d+$/.test(edge)

/** Lines that one side has more often than the other. */
export function differences(
  expected: Readonly<Record<string, readonly string[]>>,
  actual: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const problems: string[] = []
  for (const sink of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const counts = new Map<string, number>()
    for (const line of expected[sink] ?? []) counts.set(line, (counts.get(line) ?? 0) - 1)
    for (const line of actual[sink] ?? []) counts.set(line, (counts.get(line) ?? 0) + 1)
    const lost = [...counts].filter(([, count]) => count < 0)
    const extra = [...counts].filter(([, count]) => count > 0)
    if (lost.length > 0) problems.push(`${sink}: ${lost.length} lines lost, first ${lost[0]?.[0]}`)
    if (extra.length > 0)
      problems.push(`${sink}: ${extra.length} lines too many, first ${extra[0]?.[0]}`)
  }
  return problems
}
