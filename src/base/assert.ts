/** Assertions stay on in production: a broken invariant must stop the job before it can be stored. */
import { type ErrorDetails, TidemillError } from './errors.ts'
import { baseErrors } from './error-catalogue.ts'

/** Throws TM1000 (kind `bug`) when an invariant of Tidemill does not hold. `message` says which. */
export function assert(
  condition: boolean,
  message: string,
  details?: ErrorDetails,
): asserts condition {
  if (!condition)
    throw new TidemillError(baseErrors.assertion, { message, ...(details ? { details } : {}) })
}

/** The value, or TM1000 when it is absent although the code relies on it. */
export function present<Value>(value: Value | undefined | null, what: string): Value {
  if (value === undefined || value === null)
    throw new TidemillError(baseErrors.assertion, { message: `${what} is absent` })
  return value
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new TidemillError(baseErrors.assertion, {
    message: `unexpected case ${JSON.stringify(value)}`,
  })
}
