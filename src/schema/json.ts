/** JSON text at the edges of a job, optionally guarded by a schema or by any Standard Schema validator. */
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from './errors.ts'
import { fromJsonForm, toJsonForm } from './json-form.ts'
import { toPlain } from './row.ts'
import { readText, textBytes } from './text.ts'
import type { Codec, Schema } from './types.ts'

/** Any validator that follows the Standard Schema v1 contract: zod, valibot, arktype and others. */
export interface StandardValidator<Value> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (
      value: unknown,
    ) => StandardOutcome<Value> | PromiseLike<StandardOutcome<Value>>
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined
  }
}

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type StandardOutcome<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** The codec that {@link json} makes; `schema` is known when it was given one of ours. */
export interface JsonCodec<Value> extends Codec<Value> {
  readonly schema: Schema<Value> | undefined
}

/**
 * Records as JSON text, UTF-8. With a schema the value is converted and checked both ways, with another validator it is
 * checked when it is read, and with neither the caller vouches for the type. Errors: TM1020 for text that is not
 * JSON, TM1021 for a refused value, TM1022 for a validator that answers with a promise.
 */
export function json<Value>(validator?: StandardValidator<Value>): JsonCodec<Value> {
  if (validator === undefined)
    return codec<Value>(
      undefined,
      (value) => toPlain(value),
      (value) => value,
    )
  if (isSchema<Value>(validator)) {
    const schema = validator
    return codec(
      schema,
      (value) => {
        refuse(schema.check(value))
        return toJsonForm(schema.type, value)
      },
      (form) => {
        const value = fromJsonForm(schema.type, form)
        refuse(schema.check(value))
        return value
      },
    )
  }
  return codec<Value>(
    undefined,
    (value) => toPlain(value),
    (value) => validate(validator, value),
  )
}

function codec<Value>(
  schema: Schema<Value> | undefined,
  toForm: (value: unknown) => unknown,
  fromForm: (form: unknown) => unknown,
): JsonCodec<Value> {
  return Object.freeze({
    contentType: 'application/json',
    schema,
    encode(value: Value): Uint8Array {
      const text = JSON.stringify(toForm(value)) as string | undefined
      if (text === undefined) {
        throw new TidemillError(schemaErrors.validatorRefused, {
          message: 'the value has no JSON form',
        })
      }
      return textBytes(text)
    },
    decode(bytes: Uint8Array): Value {
      // `as`: proven by the validator, or vouched for by the caller of `json<Value>()`.
      return fromForm(parse(bytes)) as Value
    },
  })
}

/** TM1020 unless `bytes` are JSON text. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(readText(bytes, 0, bytes.length)) as unknown
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new TidemillError(schemaErrors.notJson, { message, cause })
  }
}

function validate(validator: StandardValidator<unknown>, value: unknown): unknown {
  const outcome = validator['~standard'].validate(value)
  if ('then' in outcome && typeof outcome.then === 'function') {
    // The promise is not awaited; without a handler its rejection would end the process.
    outcome.then(undefined, () => undefined)
    throw new TidemillError(schemaErrors.validatorAsync, {
      message: `the ${validator['~standard'].vendor} schema returned a promise`,
    })
  }
  const { issues } = outcome as { readonly issues?: readonly StandardIssue[] }
  if (issues !== undefined) refuse(issues.map(issueText).join('; ') || 'without a reason')
  return (outcome as { readonly value: unknown }).value
}

function issueText(issue: StandardIssue): string {
  const path = (issue.path ?? [])
    .map((part) => String(typeof part === 'object' ? part.key : part))
    .join('.')
  return path === '' ? issue.message : `${path}: ${issue.message}`
}

function refuse(reason: string | undefined): void {
  if (reason !== undefined)
    throw new TidemillError(schemaErrors.validatorRefused, { message: reason })
}

function isSchema<Value>(
  validator: StandardValidator<Value>,
): validator is StandardValidator<Value> & Schema<Value> {
  return validator['~standard'].vendor === 'tidemill' && 'type' in validator
}
