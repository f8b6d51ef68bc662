/** `tidemill status --state DIR`: asks the running job itself. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Command } from 'commander'
import { TidemillError } from '../base/errors.ts'
import { cliErrors } from './errors.ts'
import type { Session } from './session.ts'
import type { StatusReport } from './status-report.ts'
import { statusFile } from './status-server.ts'
import { printable } from './text.ts'

/** The main thread answers at once; a stopped or swapped-out process gets this long. */
const answerMsMax = 5_000
/** Pictures are a second apart; less says nothing. */
const notableHoldMs = 3_000

export function addStatusCommand(program: Command, session: Session): void {
  program
    .command('status')
    .description('ask a running job what it does and what limits it')
    .requiredOption('--state <directory>', 'the state directory of the job')
    .option('--json', 'print one JSON object')
    .action(async ({ state }: { readonly state: string }) => {
      const answer = await ask(state)
      if (session.json) await session.print(answer)
      else await session.print(...linesOf(JSON.parse(answer)))
    })
}

async function ask(state: string): Promise<string> {
  try {
    const { socket } = JSON.parse(readFileSync(join(state, statusFile), 'utf8'))
    return await read(String(socket))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new TidemillError(cliErrors.notRunning, { message, details: { state } })
  }
}

function read(socket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const connection = connect(socket)
    connection
      .setEncoding('utf8')
      .setTimeout(answerMsMax, () => connection.destroy(new Error('no answer')))
    connection.on('data', (part: string) => {
      text += part
    })
    connection.on('error', reject)
    connection.on('end', () => resolve(text.trimEnd()))
  })
}

function linesOf(report: StatusReport): readonly string[] {
  const { job, status, workers, epoch, checkpointAgeMs } = report
  const age = checkpointAgeMs === undefined ? '' : `, ${(checkpointAgeMs / 1000).toFixed(1)} s ago`
  return [
    `${job}: ${status}, ${workers} workers, epoch ${epoch ?? 'none'}${age}`,
    ...report.subtasks.map((one) =>
      !('busy' in one)
        ? `  subtask ${one.subtask}: starting`
        : `  subtask ${one.subtask}: ${percent(one.busy)} busy, ${percent(one.idle)} idle, ${percent(one.backPressured)} back-pressured`,
    ),
    ...watermarkLine(report),
    `bottleneck: ${report.bottleneck}`,
  ].map((line) => printable(line))
}

/** A watermark that moves needs no words. */
function watermarkLine({
  watermarkMs,
  heldBackBy,
  heldBackForMs = 0,
}: StatusReport): readonly string[] {
  const [holder] = heldBackBy ?? []
  if (holder === undefined || heldBackForMs < notableHoldMs) return []
  const seconds = (heldBackForMs / 1000).toFixed(0)
  const at =
    Math.abs(watermarkMs ?? Number.NaN) <= 8.64e15
      ? ` at ${new Date(watermarkMs!).toISOString()}`
      : ''
  return [`watermark: held back${at} by ${holder} for ${seconds} s`]
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
