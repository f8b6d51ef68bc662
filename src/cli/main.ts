/** The command line. `main` takes the arguments after the program's name and resolves to the exit code. */
import { Command, CommanderError } from 'commander'
import { formatError, isTidemillError, TidemillError } from '../base/errors.ts'
import { addDeadCommand } from './dead.ts'
import { addExplainCommand } from './explain.ts'
import { cliErrors } from './errors.ts'
import { addLogCommand } from './log.ts'
import { addRunCommand } from './run.ts'
import { addSnapshotCommand } from './snapshot.ts'
import { engineVersion } from '../runtime/describe.ts'
import { exitCodeOf } from './exit-code.ts'

/** Runs one command. Errors are printed to standard error, with `--json` as one object. */
export async function main(argv: readonly string[]): Promise<number> {
  const session: Session = { exitCode: 0, json: argv.includes('--json') }
  const program = new Command('tidemill')
    .description('Stateful stream processing for TypeScript')
    .version(engineVersion)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  addRunCommand(program, session)
  addLogCommand(program, session)
  addDeadCommand(program, session)
  addSnapshotCommand(program, session)
  addExplainCommand(program, session)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return session.exitCode
  } catch (error) {
    return report(error, session)
  }
}

/** What commands leave behind. */
export interface Session {
  exitCode: number
  /** Errors are to be printed as JSON. */
  readonly json: boolean
}

function report(error: unknown, session: Session): number {
  if (error instanceof CommanderError) {
    // Help and version are printed by the library and end well.
    if (error.exitCode === 0) return 0
    const message = error.message.replace(/^error: /, '')
    return report(new TidemillError(cliErrors.usage, { message }), session)
  }
  if (session.json && isTidemillError(error)) {
    const { code, kind, message, remedy, details } = error
    process.stdout.write(`${JSON.stringify({ status: 'failed', error: { code, kind, message, remedy, details } })}\n`)
  }
  process.stderr.write(`${formatError(error)}\n`)
  return exitCodeOf(error)
}
