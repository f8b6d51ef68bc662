/** CSV files as typed rows. */
import { TidemillError } from '../../base/errors.ts'
import type { Env } from '../../base/env.ts'
import type { StructSchema } from '../../schema/struct.ts'
import type { Position, Source } from '../contract.ts'
import { badOption, connectorErrors } from '../errors.ts'
import type { BatchBuilder } from './batch-builder.ts'
import { fileClients, type QuotedSplitter } from './clients.ts'
import { type TextParser, textParser } from './csv-values.ts'
import { fileSource } from './file-source.ts'
import type { FilePaths } from './paths.ts'
import { openRecords, type RecordFormat, type RecordOptions } from './record-reader.ts'
import { type RowMaker, rowMaker } from './row-maker.ts'

export interface CsvOptions extends RecordOptions {
  readonly path: FilePaths
  /** Names of the columns of files without a header. Default: the first record names them. */
  readonly columns?: readonly string[]
  /** The first record names the columns. Default: true unless `columns` are given; with both the record is skipped. */
  readonly header?: boolean
  /** One ASCII character. Default a comma. */
  readonly delimiter?: string
  /** Texts that stand for no value in `optional` fields. Default `['']`. */
  readonly missing?: readonly string[]
}

/** A row of a file that is read without a schema: every column as text. */
export type CsvRow = Readonly<Record<string, string>>

/**
 * Rows of CSV files. With a struct schema each field is read from the column of its name and converted (whole numbers
 * and decimals from their digits); columns without a field are ignored, and an `optional` field may lack its value or
 * its column. Without a schema rows hold every column as text.
 *
 * Values that contain the delimiter, quotes or line breaks are quoted as RFC 4180 says; reading quoted values needs
 * the package csv-parse (TM1707). A quote counts only at the beginning of a value. Records with the wrong number of
 * columns (TM1715), unmatched quotes (TM1716) or unfit values (TM1714) are rejected; blank lines are no records. Files
 * are read as by `lines`.
 *
 * @example
 * app.from('samples', csv({ path: 'cell-kpi.csv.gz', schema: sample, missing: ['', '-'] }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function csv<Row>(options: CsvOptions & { readonly schema: StructSchema<Row> }): Source<Row>
export function csv(options: CsvOptions & { readonly schema?: undefined }): Source<CsvRow>
export function csv<Row>(
  options: CsvOptions & { readonly schema?: StructSchema<Row> | undefined },
): Source<Row> {
  const { schema, columns, delimiter = ',', header = columns === undefined } = options
  if (!/^[\t -~]$/.test(delimiter) || delimiter === '"')
    throw badOption('csv: delimiter is one ASCII character, no quote')
  if (columns === undefined && !header)
    throw badOption('csv: a file without header needs `columns`')
  if (columns !== undefined) checkColumns(columns, 'columns')
  const missing = new Set(options.missing ?? [''])
  if (schema !== undefined)
    for (const field of schema.type.fields) textParser(field.type, field.name, missing)
  return fileSource<Row>({
    connector: 'csv',
    paths: options.path,
    schema,
    options,
    describe: {
      ...(schema ? { schema: schema.type.name } : {}),
      ...(delimiter === ',' ? {} : { delimiter }),
    },
    async prepare() {
      const split = await quotedSplitter()
      return async (env, file) => {
        const start = header ? await readHeader(env, file, options, delimiter, split) : undefined
        const names = columns ?? start?.names
        if (names === undefined) return { format: emptyFormat }
        const plan = planColumns(file, names, schema, missing)
        return { format: csvFormat<Row>(plan, delimiter, split), start: start?.position }
      }
    },
  })
}

/** Reports a missing parser only when a quote is met. */
async function quotedSplitter(): Promise<QuotedSplitter> {
  try {
    return await fileClients('the CSV parser').loadQuotedSplitter()
  } catch (error) {
    return () => {
      throw error
    }
  }
}

interface ColumnPlan {
  readonly columnCount: number
  /** For each field of the row its column, or -1. */
  readonly indexes: readonly number[]
  readonly fields: readonly string[]
  readonly parsers: readonly TextParser[]
  readonly make: RowMaker
}

function planColumns(
  file: string,
  columns: readonly string[],
  schema: StructSchema<unknown> | undefined,
  missing: ReadonlySet<string>,
): ColumnPlan {
  const columnCount = columns.length
  if (schema === undefined) {
    const parsers = columns.map(() => (text: string) => text)
    return {
      columnCount,
      indexes: columns.map((_, i) => i),
      fields: columns,
      parsers,
      make: rowMaker(columns),
    }
  }
  const { fields } = schema.type
  const absent = fields.filter(
    (field) => field.type.kind !== 'optional' && !columns.includes(field.name),
  )
  if (absent.length > 0) {
    throw new TidemillError(connectorErrors.csvHeader, {
      message: `${file}: no column for ${absent.map((field) => field.name).join(', ')}; columns are ${columns.join(', ')}`,
      details: { file },
    })
  }
  const names = fields.map((field) => field.name)
  return {
    columnCount,
    indexes: names.map((name) => columns.indexOf(name)),
    fields: names,
    parsers: fields.map((field) => textParser(field.type, field.name, missing)),
    make: rowMaker(names),
  }
}

function checkColumns(columns: readonly string[], where: string): void {
  const repeated = columns.find((column, i) => columns.indexOf(column) !== i)
  if (columns.length === 0 || repeated !== undefined) {
    throw new TidemillError(connectorErrors.csvHeader, {
      message:
        columns.length === 0
          ? `${where}: no column`
          : `${where}: ${JSON.stringify(repeated)} is named twice`,
    })
  }
}

/** The names in the first record and the position after it; undefined for an empty file. */
async function readHeader(
  env: Env,
  file: string,
  options: RecordOptions,
  delimiter: string,
  split: QuotedSplitter,
): Promise<{ readonly names: readonly string[]; readonly position: Position } | undefined> {
  const format: RecordFormat<readonly string[]> = {
    quotedBy: { delimiter: delimiter.charCodeAt(0) },
    decodeLines(texts, line, batch) {
      for (let i = 0; i < texts.length; i++)
        if (texts[i] !== '') batch.row(texts[i]!.split(delimiter), line + i)
    },
    decodeQuoted: (text, line, batch) =>
      splitQuoted(text, line, delimiter, split, batch, (fields) => batch.row(fields, line)),
  }
  const reader = await openRecords(env, file, format, { ...options, batchRowsMax: 1 }, undefined)
  try {
    for (let batch = await reader.read(); batch !== 'end'; batch = await reader.read()) {
      if (batch.kind !== 'rows') continue
      const refused = batch.rejected[0]
      if (refused !== undefined) {
        throw new TidemillError(connectorErrors.csvHeader, {
          message: `${file}: ${refused.error.message}`,
          details: { file },
        })
      }
      const names = batch.rows[0]
      if (names === undefined) continue
      checkColumns(names, file)
      return { names, position: reader.position() }
    }
    return undefined
  } finally {
    await reader.close()
  }
}

const emptyFormat: RecordFormat<never> = { decodeLines: () => undefined }

function csvFormat<Row>(
  plan: ColumnPlan,
  delimiter: string,
  split: QuotedSplitter,
): RecordFormat<Row> {
  const { columnCount, indexes, fields, parsers, make } = plan
  const count = indexes.length
  const values: unknown[] = new Array<unknown>(count).fill(undefined)
  const decode = (
    texts: readonly string[],
    raw: string,
    line: number,
    batch: BatchBuilder<Row>,
  ): void => {
    if (texts.length !== columnCount) {
      batch.reject(
        raw,
        line,
        connectorErrors.csvColumns,
        `${texts.length} instead of ${columnCount}`,
      )
      return
    }
    let i = 0
    try {
      for (; i < count; i++) {
        const index = indexes[i]!
        values[i] = index < 0 ? undefined : parsers[i]!(texts[index]!)
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      batch.reject(raw, line, connectorErrors.recordRefused, `${fields[i]}: ${message}`)
      return
    }
    batch.row(make(values) as Row, line) // `as`: every field was parsed as its schema says
  }
  return {
    quotedBy: { delimiter: delimiter.charCodeAt(0) },
    decodeLines(texts, line, batch) {
      for (let i = 0; i < texts.length; i++) {
        const text = texts[i]!
        if (text !== '') decode(text.split(delimiter), text, line + i, batch)
      }
    },
    decodeQuoted: (text, line, batch) =>
      splitQuoted(text, line, delimiter, split, batch, (texts) => decode(texts, text, line, batch)),
  }
}

/** Gives the fields of one record that contains quotes, or refuses it. */
function splitQuoted<Row>(
  text: string,
  line: number,
  delimiter: string,
  split: QuotedSplitter,
  batch: BatchBuilder<Row>,
  take: (fields: string[]) => void,
): void {
  // A quote inside of a value, as in 5" pipe, is a character like any other.
  if (!text.startsWith('"') && !text.includes(`${delimiter}"`)) {
    take(text.split(delimiter))
    return
  }
  let records: string[][]
  try {
    records = split(text, delimiter)
  } catch (error) {
    if (error instanceof TidemillError) throw error
    batch.reject(
      text,
      line,
      connectorErrors.csvQuotes,
      error instanceof Error ? error.message : String(error),
    )
    return
  }
  const fields = records[0]
  if (records.length === 1 && fields !== undefined) take(fields)
  else batch.reject(text, line, connectorErrors.csvQuotes, `it reads as ${records.length} records`)
}
