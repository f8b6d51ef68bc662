/**
 * Names of result files. A final name tells its origin, `e00000012-g0003-s0-0001.jsonl`: epoch in which it was prepared,
 * generation, subtask, number within the life of the writer; so names sort by epoch and none is ever used twice. While it is
 * unfinished the file is called `.g0003-s0-0001.pending`: hidden, and never with the ending of a result.
 */
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors } from '../errors.ts'

export interface Writing {
  readonly generation: number
  readonly subtask: number
}

export function pendingName({ generation, subtask }: Writing, serial: number): string {
  return `.g${pad(generation, 4)}-s${subtask}-${pad(serial, 4)}.pending`
}

/** The final name of what was pending under this name. */
export function finalName(pending: string, epoch: number, extension: string): string {
  return `e${pad(epoch, 8)}-${pending.slice(1, -'.pending'.length)}.${extension}`
}

/** The subtask that wrote this unfinished file; undefined for other files. */
export function pendingSubtask(name: string): number | undefined {
  const match = /^\.g\d{4,16}-s(\d{1,6})-\d{4,16}\.pending$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

/** TM1742 unless the name can be used for a file or directory everywhere and stays where it belongs. */
export function safeName(name: string, what: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name
  throw new TidemillError(connectorErrors.badName, {
    message: `${what} ${JSON.stringify(name.slice(0, 100))}`,
  })
}

function pad(n: number, digits: number): string {
  return String(n).padStart(digits, '0')
}
