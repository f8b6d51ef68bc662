/**
 * The one error class of the project and the way each folder declares its catalogue.
 *
 * A folder owns a range of codes and keeps them in one file `<folder>/errors.ts`. Every code has a page
 * `docs/errors/<code>.md`; a test compares the two lists.
 *
 * | range | folder |
 * | --- | --- |
 * | TM1000-1099 | base, schema, frame, keys |
 * | TM1100-1199 | time |
 * | TM1200-1299 | log |
 * | TM1300-1399 | graph, stream |
 * | TM1400-1499 | state |
 * | TM1500-1599 | checkpoint |
 * | TM1600-1699 | operators, window |
 * | TM1700-1799 | connectors |
 * | TM1800-1899 | exchange |
 * | TM1900-1999 | runtime |
 * | TM2000-2099 | cli, platform |
 * | TM2100-2199 | testing |
 */

/**
 * What a caller can do about an error: `user` - change the program, its parameters or its input; `transient` - the
 * same call may succeed later; `fatal` - stored data or the machine is damaged, a person has to decide; `bug` - an
 * invariant of Tidemill itself does not hold.
 */
export type ErrorKind = 'user' | 'transient' | 'fatal' | 'bug'

export type ErrorCode = `TM${number}`

/** One entry of a folder's catalogue. `title` and `remedy` are shown as they are; `title` in lower case. */
export interface ErrorDefinition {
  readonly code: ErrorCode
  readonly kind: ErrorKind
  /** What happened, in one clause, without values. */
  readonly title: string
  /** What the reader should do, as a sentence. */
  readonly remedy: string
}

/** Facts about one occurrence. Well-known names are `operator`, `file`, `offset`, `record`, `key`, `epoch`. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>

export interface ErrorOccurrence {
  /** Says what is special about this occurrence; follows the title after a colon. */
  readonly message?: string
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

const brand: unique symbol = Symbol.for('tidemill.error') as never

/** Every error that Tidemill raises. Identity survives duplicate copies of the package: use {@link isTidemillError}. */
export class TidemillError extends Error {
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly remedy: string
  readonly details: ErrorDetails

  constructor(definition: ErrorDefinition, occurrence: ErrorOccurrence = {}) {
    const text = occurrence.message
      ? `${definition.title}: ${occurrence.message}`
      : definition.title
    super(text, occurrence.cause === undefined ? undefined : { cause: occurrence.cause })
    this.name = 'TidemillError'
    this.code = definition.code
    this.kind = definition.kind
    this.remedy = definition.remedy
    this.details = occurrence.details ?? {}
    Object.defineProperty(this, brand, { value: true })
  }

  /** The same error with more details, e.g. the operator that only the caller knows. Existing details win. */
  with(details: ErrorDetails): TidemillError {
    const copy = new TidemillError(
      { code: this.code, kind: this.kind, title: this.message, remedy: this.remedy },
      {
        details: { ...details, ...this.details },
        ...(this.cause === undefined ? {} : { cause: this.cause }),
      },
    )
    if (this.stack !== undefined) copy.stack = this.stack
    return copy
  }
}

/** True for errors of any copy of this package, also after a duplicate install. */
export function isTidemillError(value: unknown): value is TidemillError {
  return (
    typeof value === 'object' && value !== null && (value as { [brand]?: unknown })[brand] === true
  )
}

/** The catalogue of one folder; the definitions stay literal so that `catalogue.name.code` is known to the compiler. */
export function defineErrors<const Catalogue extends Readonly<Record<string, ErrorDefinition>>>(
  catalogue: Catalogue,
): Catalogue {
  return Object.freeze(catalogue)
}

/** Several lines for a person: code and kind, message, the facts, what to do. */
export function formatError(error: unknown): string {
  if (!isTidemillError(error)) {
    if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`
    return `thrown value: ${String(error)}`
  }
  const lines = [`${error.code} (${error.kind})  ${error.message}`]
  for (const [name, value] of Object.entries(error.details))
    lines.push(`  ${name.padEnd(10)} ${value}`)
  if (error.cause !== undefined) {
    lines.push(
      ...causeText(error)
        .split('\n')
        .slice(0, 12)
        .map((line) => `  ${line}`),
    )
  }
  lines.push(`  to do      ${error.remedy}`, `  more       tidemill explain ${error.code}`)
  return lines.join('\n')
}

/** With its stack where that tells something: what the system refused was asked by us, and not by the user's program. */
function causeText({ cause, kind }: TidemillError): string {
  if (!(cause instanceof Error)) return `thrown value: ${String(cause)}`
  // Of Node's own errors `errno` is a number; a function of the user may have thrown them.
  const isOfDisk = 'errno' in cause && typeof cause.errno === 'string'
  const isOfSystem = isOfDisk || ('errno' in cause && (kind === 'transient' || kind === 'fatal'))
  return isOfSystem || cause.stack === undefined ? `${cause.name}: ${cause.message}` : cause.stack
}
