/** The command line. `main` takes the arguments after the program's name and resolves to the exit code. */
import { Command, CommanderError } from 'commander'
import { DiskError } from '../base/env.ts'
import { formatError, isTidemillError, TidemillError } from '../base/errors.ts'
import { engineVersion } from '../runtime/describe.ts'
import { cliErrors } from './errors.ts'
import { exitCodeOf } from './exit-code.ts'
import { OutputClosed, Session } from './session.ts'
import { withSourcePlaces } from './source-places.ts'

/** Loaded when they are asked for: what `log` needs would make `run` start later. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  run: async () => (await import('./run.ts')).addRunCommand,
  log: async () => (await import('./log.ts')).addLogCommand,
  dead: async () => (await import('./dead.ts')).addDeadCommand,
  snapshot: async () => (await import('./snapshot.ts')).addSnapshotCommand,
  status: async () => (await import('./status.ts')).addStatusCommand,
  explain: async () => (await import('./explain.ts')).addExplainCommand,
}

type AddCommand = (program: Command, session: Session) => void

/** The command that the arguments begin with; all of them for help, and for names that do not exist. */
async function commandsFor(argv: readonly string[]): Promise<readonly AddCommand[]> {
  const [name = ''] = argv
  const loaders = Object.hasOwn(commands, name) ? [commands[name]!] : Object.values(commands)
  return await Promise.all(loaders.map((load) => load()))
}

/** Runs one command. Errors are printed to standard error, with `--json` also as one object to standard output. */
export async function main(argv: readonly string[]): Promise<number> {
  const session = new Session(argv.includes('--json'))
  let help = ''
  const program = new Command('tidemill')
    .description('Stateful stream processing for TypeScript')
    .version(engineVersion)
    .exitOverride()
    .configureOutput({
      writeErr: (text) => {
        help += text
      },
    })
  for (const add of await commandsFor(argv)) add(program, session)
  // Help is written by the library; a reader that goes away must not turn it into a crash.
  process.stdout.on('error', () => {})
  try {
    await program.parseAsync(argv, { from: 'user' })
    return session.exitCode
  } catch (error) {
    if (error instanceof OutputClosed) return session.exitCode
    if (!(error instanceof CommanderError)) return report(error, session)
    // Help and version that were asked for end well.
    if (error.exitCode === 0) return 0
    if (error.code === 'commander.help') {
      process.stderr.write(help)
      return 2
    }
    const message = error.message.replace(/^error: /, '').replace(/\n+\(/, ' (')
    return report(new TidemillError(cliErrors.usage, { message }), session)
  }
}

function report(error: unknown, session: Session): number {
  const told = isTidemillError(error) ? error : unforeseen(error)
  if (session.json) {
    const { code, kind, message, remedy, details } = told
    process.stdout.write(
      `${JSON.stringify({ status: 'failed', error: { code, kind, message, remedy, details } })}\n`,
    )
  }
  process.stderr.write(`${withSourcePlaces(formatError(told))}\n`)
  return exitCodeOf(told)
}

/** No error leaves without a code and a remedy. */
function unforeseen(error: unknown): TidemillError {
  if (error instanceof DiskError) {
    const { errno, path } = error
    return new TidemillError(cliErrors.disk, {
      message: error.message,
      details: { file: path, errno },
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  return new TidemillError(cliErrors.unforeseen, { message, cause: error })
}
