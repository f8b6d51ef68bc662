/** Reading the command line of the benchmarks: what is wrong is said with what would be right. */
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** The command line cannot be understood; the text is for the person who typed it. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>

export interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | undefined>>
}

/** `--json` is taken by every command; those that print nothing else need not look at it. */
export function parseOptions(args: readonly string[], options: Options): Parsed {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false }, ...options },
      strict: true,
      allowPositionals: false,
    })
    // `as`: none of our options repeats.
    return { values: values as Parsed['values'] }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** One of the names, or all of a list of them. */
export function oneOf<Name extends string>(
  flag: string,
  value: string | boolean | undefined,
  names: readonly Name[],
): Name {
  const found = names.find((name) => name === value)
  if (found === undefined) {
    throw new UsageError(`${flag} takes ${names.join(', ')}; got ${String(value)}`)
  }
  return found
}

export function listOf<Name extends string>(
  flag: string,
  value: string | boolean | undefined,
  names: readonly Name[],
): readonly Name[] {
  const parts = String(value)
    .split(',')
    .filter((part) => part !== '')
  if (parts.length === 0)
    throw new UsageError(`${flag} takes a list of ${names.join(', ')}; got none`)
  return parts.map((part) => oneOf(flag, part, names))
}

export function positive(
  flag: string,
  value: string | boolean | undefined,
  whole: boolean = true,
): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  if (!(number > 0 && Number.isFinite(number)) || (whole && !Number.isInteger(number))) {
    throw new UsageError(
      `${flag} takes a positive ${whole ? 'whole number' : 'number'}; got ${String(value)}`,
    )
  }
  return number
}
