/** `tidemill run <job.ts>` */
import { type Command, InvalidArgumentError } from 'commander'
import { createNodeEnv } from '../platform/node.ts'
import { recordsOf } from '../execution.ts'
import type { Session } from './main.ts'
import { startProgress } from './progress.ts'
import { type JobOutcome, runJobFile, stopOnSignals } from './run-job.ts'

interface RunFlags {
  readonly mode?: 'stream' | 'batch'
  readonly state?: string
  readonly param?: ReadonlyMap<string, string>
  readonly checkpointInterval?: number
  readonly acceptParams?: boolean
  readonly json?: boolean
}

export function addRunCommand(program: Command, session: Session): void {
  program
    .command('run')
    .description('run a job module until its input ends or the process is told to stop')
    .argument('<job>', 'a TypeScript or JavaScript module that builds a pipeline and calls run()')
    .option('--mode <mode>', 'stream or batch; batch needs bounded input', parseMode)
    .option('--state <directory>', 'where checkpoints and state are kept (default: .tidemill/<job>)')
    .option('--param <name=value>', 'a parameter of the job; may be given several times', parseParam)
    .option('--checkpoint-interval <duration>', 'time between checkpoints, e.g. 500ms, 1s, 2m (default: 1s)', parseDuration)
    .option('--accept-params', 'continue from state that was made with other parameters')
    .option('--json', 'print one JSON object as the last line of standard output')
    .action(async (job: string, flags: RunFlags) => {
      session.exitCode = await run(job, flags)
    })
}

async function run(jobFile: string, flags: RunFlags): Promise<number> {
  const env = createNodeEnv({ logLevel: 'warn' })
  const job = await runJobFile({
    env,
    jobFile,
    params: flags.param ?? new Map(),
    mode: flags.mode,
    stateDirectory: flags.state,
    intervalMs: flags.checkpointInterval,
    acceptParameters: flags.acceptParams === true,
  })
  const release = stopOnSignals(env, job)
  const stopProgress = startProgress(env, job)
  try {
    const outcome = await job.outcome
    stopProgress()
    if (flags.json === true) await env.host.writeOut(`${JSON.stringify(summary(job.loaded.job, outcome))}\n`)
    else process.stderr.write(`${sentence(job.loaded.job, job.stateDirectory, outcome)}\n`)
    return 0
  } finally {
    stopProgress()
    release()
  }
}

function summary(job: string, outcome: JobOutcome): object {
  const records = recordsOf(outcome.ledger)
  return {
    job,
    status: outcome.status,
    epoch: outcome.epoch,
    recordsRead: records.read,
    recordsWritten: records.written,
    recordsLate: records.late,
    recordsRejected: records.rejected,
    durationMs: Math.round(outcome.durationMs),
    ledger: outcome.ledger,
  }
}

function sentence(job: string, stateDirectory: string, outcome: JobOutcome): string {
  const { read, written } = recordsOf(outcome.ledger)
  const facts = `${read} records read, ${written} written, epoch ${outcome.epoch}`
  switch (outcome.status) {
    case 'already-finished':
      return `${job}: already finished (${facts}); remove ${stateDirectory} and the output to run it again`
    case 'stopped':
      return `${job}: stopped with a final checkpoint (${facts}); start it again to continue`
    case 'finished':
      return `${job}: finished in ${(outcome.durationMs / 1000).toFixed(2)} s (${facts})`
  }
}

function parseMode(text: string): 'stream' | 'batch' {
  if (text === 'stream' || text === 'batch') return text
  throw new InvalidArgumentError('it is stream or batch')
}

function parseParam(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('write it as name=value')
  return new Map(before).set(text.slice(0, at), text.slice(at + 1))
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const ms = Number(digits) * (unitsMs[unit] ?? Number.NaN)
  if (!(ms > 0)) throw new InvalidArgumentError('write a number and a unit: 500ms, 1s, 2m or 1h')
  return ms
}
