/** `tidemill run <job.ts>` */
import type { Command } from 'commander'
import type { JobOutcome } from '../runtime/job.ts'
import { recordsOf } from '../runtime/record-counts.ts'
import { type ProgressForm, startProgress } from './progress.ts'
import { endWithItsReader, runJobFile, stopOnSignals } from './run-job.ts'
import { TidemillError } from '../base/errors.ts'
import type { SnapshotId } from '../checkpoint/names.ts'
import { cliErrors } from './errors.ts'
import {
  oneOf,
  type Params,
  parseDuration,
  parseParam,
  parseSnapshot,
  parseWorkers,
} from './options.ts'
import { keepProcess } from '../platform/node-clock.ts'
import type { Session } from './session.ts'
import { serveStatus } from './status-server.ts'

interface RunFlags {
  readonly mode?: 'stream' | 'batch'
  readonly state?: string
  readonly param?: Params
  readonly checkpointInterval?: number
  readonly acceptParams?: boolean
  readonly workers?: number
  readonly from?: string
  readonly restore?: SnapshotId
  readonly repeatPublished?: boolean
  readonly progress?: ProgressForm
  readonly json?: boolean
}

export function addRunCommand(program: Command, session: Session): void {
  program
    .command('run')
    .description('run a job module until its input ends or the process is told to stop')
    .argument('<job>', 'a TypeScript or JavaScript module that builds a pipeline and calls run()')
    .option('--mode <mode>', 'stream or batch; batch needs bounded input', oneOf('stream', 'batch'))
    .option(
      '--state <directory>',
      'where checkpoints and state are kept (default: .tidemill/<job>)',
    )
    .option(
      '--param <name=value>',
      'a parameter of the job; may be given several times',
      parseParam,
    )
    .option(
      '--checkpoint-interval <duration>',
      'time between checkpoints, e.g. 500ms, 1s, 2m (default: 1s)',
      parseDuration,
    )
    .option(
      '--workers <count>',
      'threads that share the work; state is redistributed when the number changes (default: 1)',
      parseWorkers,
    )
    .option('--accept-params', 'continue from state that was made with other parameters')
    .option('--from <folder>', 'begin from this savepoint when the state directory is empty')
    .option('--restore <snapshot>', 'go back to an older checkpoint, e.g. g1-e2', parseSnapshot)
    .option('--repeat-published', 'with --restore: results since then may be published twice')
    .option(
      '--progress <form>',
      'on standard error: line, json or none (default: a line on a terminal)',
      oneOf('line', 'json', 'none'),
    )
    .option('--json', 'print one JSON object as the last line of standard output')
    .action(async (job: string, flags: RunFlags) => {
      session.exitCode = await run(job, flags, session)
    })
}

async function run(jobFile: string, flags: RunFlags, session: Session): Promise<number> {
  const { env } = session
  if (flags.restore !== undefined && flags.repeatPublished !== true) {
    throw new TidemillError(cliErrors.usage, {
      message:
        'what was published after an older checkpoint is published again: add --repeat-published',
    })
  }
  const job = await runJobFile({
    env,
    jobFile,
    params: flags.param ?? new Map(),
    mode: flags.mode,
    stateDirectory: flags.state,
    intervalMs: flags.checkpointInterval,
    acceptParameters: flags.acceptParams === true,
    workers: flags.workers,
    from: flags.from,
    restore: flags.restore,
  })
  const signals = stopOnSignals(env, job)
  const stopStatus = serveStatus(env, job)
  const stopProgress = startProgress(env, job, flags.progress)
  const releaseOutput = endWithItsReader(env, stopProgress)
  const release = keepProcess()
  try {
    const outcome = await job.outcome
    stopProgress()
    releaseOutput()
    if (flags.json === true) await session.printJson(summary(job.loaded.job, outcome))
    else process.stderr.write(`${sentence(job.loaded.job, job.stateDirectory, outcome)}\n`)
    return outcome.complete ? 0 : signals.exitCode
  } finally {
    release()
    stopStatus()
    stopProgress()
    releaseOutput()
    signals.release()
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
      return outcome.complete
        ? `${job}: stopped with a final checkpoint (${facts}); start it again to continue`
        : `${job}: stopped without a final checkpoint (${facts}); the next start reads on from its last commit`
    case 'finished':
      return `${job}: finished in ${(outcome.durationMs / 1000).toFixed(2)} s (${facts})`
  }
}
