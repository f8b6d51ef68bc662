/** What the commands on topics begin and end with. */
import { type EventLog, openLog } from '../log/log.ts'
import type { Session } from './session.ts'

export interface LogFlags {
  readonly dir: string
}

/** Runs a command on an open log and closes it, whatever happens. */
export async function withLog(
  session: Session,
  flags: LogFlags,
  run: (log: EventLog) => Promise<void>,
): Promise<void> {
  const log = openLog({ env: session.env, directory: flags.dir })
  try {
    await run(log)
  } finally {
    await log.close()
  }
}
