/** Files of JSON lines. */
import { TidemillError } from '../../base/errors.ts'
import { fromJsonForm } from '../../schema/json-form.ts'
import type { StandardIssue, StandardValidator } from '../../schema/json.ts'
import type { Schema, SchemaType } from '../../schema/types.ts'
import type { Source } from '../contract.ts'
import { connectorErrors } from '../errors.ts'
import type { BatchBuilder } from './batch-builder.ts'
import { fileSource } from './file-source.ts'
import { needsDigits, parseJson } from './json-text.ts'
import { lineFrames } from './line-frames.ts'
import type { FilePaths } from './paths.ts'
import type { RecordOptions } from './record-reader.ts'

/**
 * One JSON value per line, as rows. With a schema values are converted and checked, and whole numbers and decimals are
 * read from their digits, never rounded; any Standard Schema validator works too; with neither the caller vouches for
 * the type. Lines that are not JSON (TM1713), nested deeper than 64 levels (TM1712) or refused (TM1714) are rejected;
 * blank lines are no records. Structs and variants go into frames without a row object in between, and of fields that no
 * step reads only the form is checked. Of a repeated key the last value counts. Files are read as by `lines`.
 *
 * @example
 * app.from('orders', jsonLines('orders.jsonl', order))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function jsonLines<Out>(
  paths: FilePaths,
  guard?: StandardValidator<Out>,
  options: RecordOptions = {},
): Source<Out> {
  const decode = jsonDecoder<Out>(guard)
  const schema = schemaOf(guard)
  return fileSource<Out>({
    connector: 'jsonLines',
    paths,
    schema,
    options,
    prepare: async (fields) => {
      const frames = schema && lineFrames(schema as Schema<unknown>, fields, decode)
      const format = {
        frames,
        decodeLines(texts: string[], line: number, batch: BatchBuilder<Out>) {
          for (let i = 0; i < texts.length; i++) {
            const text = texts[i]!
            if (isBlank(text)) continue
            let row: Out
            try {
              row = decode(text)
            } catch (error) {
              batch.rejectWith(text, line + i, error)
              continue
            }
            batch.row(row, line + i)
          }
        },
      }
      return async () => ({ format })
    },
  })
}

/** Turns one JSON text into a value; throws coded errors. */
export function jsonDecoder<Out>(guard: StandardValidator<Out> | undefined): (text: string) => Out {
  if (guard === undefined) return (text) => parseJson(text, undefined, false) as Out // the caller vouches for it
  const schema = schemaOf(guard)
  if (schema === undefined) return (text) => validated(guard, parseJson(text, undefined, false))
  const { type } = schema
  const exact = needsDigits(type)
  const asItIs = isOwnForm(type)
  return (text) => {
    const form = parseJson(text, type, exact)
    const value = asItIs ? form : fromJsonForm(type, form)
    const reason = schema.check(value)
    if (reason !== undefined) throw refused(reason)
    return value as Out // just checked
  }
}

/** True when the JSON form of a value is the value itself, undeclared fields aside. */
function isOwnForm(type: SchemaType): boolean {
  return (
    type.kind === 'bool' || type.kind === 'text' || type.kind === 'literals' || type.kind === 'int'
  )
}

function validated<Out>(guard: StandardValidator<Out>, form: unknown): Out {
  const outcome = guard['~standard'].validate(form)
  if ('then' in outcome) {
    // Not awaited; without a handler its rejection would end the process.
    outcome.then(undefined, () => undefined)
    throw refused(
      `the ${guard['~standard'].vendor} schema is asynchronous, records are decoded synchronously`,
    )
  }
  if (outcome.issues !== undefined)
    throw refused(outcome.issues.map(issueText).join('; ') || 'without a reason')
  return outcome.value
}

function issueText(issue: StandardIssue): string {
  const path = (issue.path ?? [])
    .map((part) => String(typeof part === 'object' ? part.key : part))
    .join('.')
  return path === '' ? issue.message : `${path}: ${issue.message}`
}

function refused(message: string): TidemillError {
  return new TidemillError(connectorErrors.recordRefused, { message })
}

function schemaOf<Out>(guard: StandardValidator<Out> | undefined): Schema<Out> | undefined {
  // `as`: only our own schemas have this vendor and a `type`.
  return guard !== undefined && guard['~standard'].vendor === 'tidemill' && 'type' in guard
    ? (guard as StandardValidator<Out> & Schema<Out>)
    : undefined
}

function isBlank(text: string): boolean {
  if (text === '') return true
  const unit = text.charCodeAt(0)
  return (unit === 0x20 || unit === 0x09) && text.trim() === ''
}
