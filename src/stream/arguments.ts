/** Checks of what programs pass in: the compiler has checked the types, unless the program is JavaScript. */
import { TidemillError } from '../base/errors.ts'
import type { Duration } from '../base/time.ts'
import { streamErrors } from './errors.ts'

/** The milliseconds of a duration; throws TM1352 unless it is a finite number of at least `minMs`. */
export function durationMs(duration: Duration, what: string, minMs: number): number {
  if (typeof duration !== 'number' || !Number.isFinite(duration)) {
    throw new TidemillError(streamErrors.duration, {
      message: `${what} is ${String(duration)}, expected a finite duration`,
    })
  }
  if (duration < minMs) {
    throw new TidemillError(streamErrors.duration, {
      message: `${what} is ${duration} ms, expected at least ${minMs} ms`,
    })
  }
  return duration
}

/** Throws TM1351 unless `fn` is a function. */
export function checkFunction(fn: unknown, what: string): void {
  if (typeof fn !== 'function')
    throw wrongArgument(`${what} is ${typeName(fn)}, expected a function`)
}

export function wrongArgument(message: string): TidemillError {
  return new TidemillError(streamErrors.argument, { message })
}

/** Throws TM1351 unless `schema` is one or is absent. */
export function checkSchema(schema: unknown, what: string): void {
  if (schema === undefined) return
  if (
    typeof schema !== 'object' ||
    schema === null ||
    typeof (schema as { readonly hash?: unknown }).hash !== 'string'
  ) {
    throw wrongArgument(
      `${what} is ${typeName(schema)}, expected a schema such as struct(…) or int`,
    )
  }
}

/** The bound among the options of `what`; its value is checked by the plan. Throws TM1351 unless the options are an object. */
export function parallelismOf(
  options: { readonly parallelism?: number },
  what: string,
): { readonly parallelism?: number } {
  if (typeof options !== 'object' || options === null)
    throw wrongArgument(`${what} got ${typeName(options)} as its options, expected { parallelism }`)
  return options.parallelism === undefined ? {} : { parallelism: options.parallelism }
}

/** `a number`, `null`, `an object`: what a value is, for a sentence. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  const type = typeof value
  return type === 'object' || type === 'undefined' ? `an ${type}` : `a ${type}`
}
