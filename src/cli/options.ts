/** How texts on the command line become values. Each throws what commander reports as a usage error. */
import { InvalidArgumentError } from 'commander'
import { parseName, type SnapshotId } from '../checkpoint/names.ts'

export type Params = ReadonlyMap<string, string>

/** `name=value`; the value may contain further equals signs. */
export function parseParam(text: string, before: Params = new Map()): Params {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('write it as name=value')
  const name = text.slice(0, at)
  if (before.has(name)) throw new InvalidArgumentError(`${name} is given twice`)
  return new Map(before).set(name, text.slice(at + 1))
}

/** `g7-e418`. */
export function parseSnapshot(text: string): SnapshotId {
  const parsed = parseName(`${text}.manifest`)
  if (parsed.kind !== 'manifest') throw new InvalidArgumentError('write it like g1-e2')
  return parsed.id
}

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Milliseconds. */
export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Number(digits) * (unitsMs[unit] ?? Number.NaN)
  if (!(ms > 0))
    throw new InvalidArgumentError('write a number and a unit: 500ms, 1s, 2m, 1h or 7d')
  return ms
}

const unitsBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** Bytes. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([kmg]?)i?b?$/i.exec(text) ?? []
  const bytes =
    digits === '' ? Number.NaN : Number(digits) * (unitsBytes[unit.toLowerCase()] ?? Number.NaN)
  if (!(bytes > 0))
    throw new InvalidArgumentError('write a number of bytes, with K, M or G for larger ones')
  return bytes
}

export function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(count)) throw new InvalidArgumentError('write a whole number')
  return count
}

/** Threads of one job. */
export function parseWorkers(text: string): number {
  const count = parseCount(text)
  if (count < 1 || count > workersMax)
    throw new InvalidArgumentError(`write a number from 1 to ${workersMax}`)
  return count
}

/** More threads than any machine has cores for one job; key groups set a lower limit. */
const workersMax = 256

/** A parser that accepts these words only. */
export function oneOf<const Word extends string>(
  ...words: readonly Word[]
): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text)
    if (found === undefined)
      throw new InvalidArgumentError(`it is ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`)
    return found
  }
}
