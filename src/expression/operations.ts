/**
 * What expressions can compute: each operation once as a function and once as program text, side by side.
 *
 * The meaning is JavaScript's, for operands of the declared types: numbers are doubles (a division by 0 is infinite, NaN is
 * equal to nothing), text is compared and counted by UTF-16 units and put into lower case without a language, `&&`, `||`,
 * `??` and `?:` evaluate what they need. Types keep operands that may be missing out of all operations but `isNull`,
 * `coalesce`, `eq` and `ne`; where types are absent the operators do with them what JavaScript does.
 */
import { type Code, code } from '../base/codegen.ts'
import type { Literal } from './nodes.ts'

/** Operands are evaluated when they are asked for. */
type Lazy = () => unknown
type Constant = (value: unknown) => Code

interface Operation {
  readonly evaluate: (...operands: readonly Lazy[]) => unknown
  readonly emit: (operands: readonly Code[], constant: Constant) => Code
  /** `$0` and `$1` stand for operands. */
  readonly print: string
}

const dayMs = 86_400_000

/** Whole units since 1970 and what is left in the next larger one, also before 1970. */
export const hourOf = (ms: number): number =>
  Math.floor((ms - Math.floor(ms / dayMs) * dayMs) / 3_600_000)
export const minuteOf = (ms: number): number =>
  Math.floor((ms - Math.floor(ms / 3_600_000) * 3_600_000) / 60_000)
export const dayOf = (ms: number): number => Math.floor(ms / dayMs)
export const partOf = (text: string, separator: string, index: number): string | null =>
  text.split(separator)[index] ?? null

const n = (value: Lazy): number => value() as number // types of the builder
const s = (value: Lazy): string => value() as string

/** An operator between two operands, and the same for `evaluate`. */
const binary = (
  print: string,
  emit: (a: Code, b: Code) => Code,
  evaluate: (a: Lazy, b: Lazy) => unknown,
): Operation => ({
  print: `($0 ${print} $1)`,
  emit: ([a, b]) => emit(a!, b!),
  evaluate: (a, b) => evaluate(a!, b!),
})

/** A method of text, or a function of this file that is passed by value. */
const call = (
  print: string,
  emit: (operands: readonly Code[], constant: Constant) => Code,
  evaluate: (...operands: readonly Lazy[]) => unknown,
): Operation => ({ print, emit, evaluate })

export const operations = {
  add: binary(
    '+',
    (a, b) => code`(${a} + ${b})`,
    (a, b) => n(a) + n(b),
  ),
  sub: binary(
    '-',
    (a, b) => code`(${a} - ${b})`,
    (a, b) => n(a) - n(b),
  ),
  mul: binary(
    '*',
    (a, b) => code`(${a} * ${b})`,
    (a, b) => n(a) * n(b),
  ),
  div: binary(
    '/',
    (a, b) => code`(${a} / ${b})`,
    (a, b) => n(a) / n(b),
  ),
  mod: binary(
    '%',
    (a, b) => code`(${a} % ${b})`,
    (a, b) => n(a) % n(b),
  ),
  neg: call(
    '-$0',
    ([a]) => code`(- ${a!})`,
    (a) => -n(a!),
  ),
  eq: binary(
    '=',
    (a, b) => code`(${a} === ${b})`,
    (a, b) => a() === b(),
  ),
  ne: binary(
    '<>',
    (a, b) => code`(${a} !== ${b})`,
    (a, b) => a() !== b(),
  ),
  lt: binary(
    '<',
    (a, b) => code`(${a} < ${b})`,
    (a, b) => n(a) < n(b),
  ),
  le: binary(
    '<=',
    (a, b) => code`(${a} <= ${b})`,
    (a, b) => n(a) <= n(b),
  ),
  gt: binary(
    '>',
    (a, b) => code`(${a} > ${b})`,
    (a, b) => n(a) > n(b),
  ),
  ge: binary(
    '>=',
    (a, b) => code`(${a} >= ${b})`,
    (a, b) => n(a) >= n(b),
  ),
  and: binary(
    'and',
    (a, b) => code`(${a} && ${b})`,
    (a, b) => a() && b(),
  ),
  or: binary(
    'or',
    (a, b) => code`(${a} || ${b})`,
    (a, b) => a() || b(),
  ),
  not: call(
    'not $0',
    ([a]) => code`(! ${a!})`,
    (a) => !a!(),
  ),
  isNull: call(
    '$0 is null',
    ([a]) => code`(${a!} == null)`,
    (a) => {
      const value = a!()
      return value === null || value === undefined
    },
  ),
  coalesce: call(
    'coalesce($0, $1)',
    ([a, b]) => code`(${a!} ?? ${b!})`,
    (a, b) => a!() ?? b!(),
  ),
  choose: call(
    'case when $0 then $1 else $2 end',
    ([test, a, b]) => code`(${test!} ? ${a!} : ${b!})`,
    (test, a, b) => (test!() ? a!() : b!()),
  ),
  lower: call(
    'lower($0)',
    ([a]) => code`${a!}.toLowerCase()`,
    (a) => s(a!).toLowerCase(),
  ),
  length: call(
    'length($0)',
    ([a]) => code`${a!}.length`,
    (a) => s(a!).length,
  ),
  concat: call(
    '($0 || $1)',
    ([a, b]) => code`(${a!} + ${b!})`,
    (a, b) => s(a!) + s(b!),
  ),
  indexOf: call(
    'indexOf($0, $1)',
    ([a, b]) => code`${a!}.indexOf(${b!})`,
    (a, b) => s(a!).indexOf(s(b!)),
  ),
  contains: call(
    'contains($0, $1)',
    ([a, b]) => code`${a!}.includes(${b!})`,
    (a, b) => s(a!).includes(s(b!)),
  ),
  startsWith: call(
    'startsWith($0, $1)',
    ([a, b]) => code`${a!}.startsWith(${b!})`,
    (a, b) => s(a!).startsWith(s(b!)),
  ),
  part: call(
    'part($0, $1, $2)',
    ([a, b, i], constant) => code`${constant(partOf)}(${a!}, ${b!}, ${i!})`,
    (a, b, i) => partOf(s(a!), s(b!), n(i!)),
  ),
  hour: call(
    'hour($0)',
    ([a], constant) => code`${constant(hourOf)}(${a!})`,
    (a) => hourOf(n(a!)),
  ),
  minute: call(
    'minute($0)',
    ([a], constant) => code`${constant(minuteOf)}(${a!})`,
    (a) => minuteOf(n(a!)),
  ),
  day: call(
    'day($0)',
    ([a], constant) => code`${constant(dayOf)}(${a!})`,
    (a) => dayOf(n(a!)),
  ),
} as const satisfies Readonly<Record<string, Operation>>

export type OperationName = keyof typeof operations

/** What may stand in an expression as it is. */
export function isLiteral(value: unknown): value is Literal {
  return (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    typeof value === 'bigint'
  )
}
