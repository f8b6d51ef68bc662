/**
 * The one place that turns text into code. Program text is a {@link Code} value, and the only ways to make one are the
 * `code` template (whose fixed parts are written in this repository), numbers, quoted literals and numbered names.
 * Text of users, plans or schemas can therefore enter a generated function only as a quoted string or as a constant
 * passed by value - never as program text, a name or a comment.
 *
 * Hosts may forbid code generation: `canGenerateCode()` tells, and every user of this file has an interpreted twin.
 */

/** A piece of program text that was composed by the rules above. */
export class Code {
  readonly text: string
  /** Use the {@link code} template. The token keeps other files from wrapping arbitrary text. */
  constructor(token: typeof secret, text: string) {
    if (token !== secret) throw new TypeError('Code is made by the code template only')
    this.text = text
  }
}

const secret: unique symbol = Symbol('code')

/** Composes program text: `code\`${a} + ${1}\``. A plain string as a value is a TypeError: quote it with `literal`. */
export function code(parts: TemplateStringsArray, ...values: readonly (Code | number)[]): Code {
  let text = parts[0] ?? ''
  for (let i = 0; i < values.length; i++) text += render(values[i]) + (parts[i + 1] ?? '')
  return new Code(secret, text)
}

/** A string as a quoted literal, safe in every position of a program. */
export function literal(text: string): Code {
  const quoted = JSON.stringify(text)
    .replace(/[\u2028\u2029]/g, (c) => (c === '\u2028' ? '\\u2028' : '\\u2029'))
    .replace(/</g, '\\u003c')
  return new Code(secret, quoted)
}

/** A numbered name such as `c12`; the prefix is lower-case letters chosen by the emitting code. */
export function name(prefix: string, index: number): Code {
  if (!/^[a-z]{1,8}$/.test(prefix) || !Number.isSafeInteger(index) || index < 0) {
    throw new TypeError(`not a generated name: ${prefix}, ${index}`)
  }
  return new Code(secret, `${prefix}${index}`)
}

/** Pieces one after the other, separated by `separator`. */
export function join(pieces: readonly Code[], separator: Code = newline): Code {
  return new Code(secret, pieces.map((piece) => piece.text).join(separator.text))
}

const newline: Code = new Code(secret, '\n')

/** Nothing; useful where a piece is optional. */
export const empty: Code = new Code(secret, '')

/**
 * Compiles `body` as a strict function body whose free names are the given constants, runs it once and returns what
 * it returns (usually the generated function or class). Constants are passed by value under numbered names.
 */
export function compile<Result>(
  constants: readonly (readonly [Code, unknown])[],
  body: Code,
): Result {
  // As `const`, not as parameters: V8 takes what never changes as known when it optimises, and what it knows it inlines.
  // It does so for functions of one instance only, while equal texts would share theirs: the number tells them apart.
  const names = constants.map(([constant]) => constant.text).join(', ')
  // The emitted text is composed of repository text, numbers and quoted literals only; see the head comment.
  const make = new Function(
    'values',
    `'use strict'; // ${compiled++}\nconst [${names}] = values;\n${body.text}`,
  ) as (values: readonly unknown[]) => Result
  return make(constants.map(([, value]) => value))
}

let compiled = 0

let allowed: boolean | undefined

/** False when the host forbids code generation from strings (a content security policy, a Node flag). */
export function canGenerateCode(): boolean {
  if (allowed === undefined) {
    try {
      allowed = compile<number>([], code`return 1`) === 1
    } catch {
      allowed = false
    }
  }
  return allowed
}

/** For tests that compare the generated with the interpreted twin: forces the answer of {@link canGenerateCode}. */
export function forbidCodeGeneration(forbidden: boolean): void {
  allowed = forbidden ? false : undefined
}

function render(value: Code | number | undefined): string {
  if (value instanceof Code) return value.text
  if (typeof value === 'number')
    return value < 0 || Object.is(value, -0)
      ? `(${Object.is(value, -0) ? '-0' : value})`
      : String(value)
  throw new TypeError('a value of the code template must be Code or a number')
}
