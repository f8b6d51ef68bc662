/** Result files, each row in them exactly once. */
import { readField } from '../../schema/row.ts'
import type { Sink } from '../contract.ts'
import { badOption } from '../errors.ts'
import { requireWhole } from '../file/file-source.ts'
import { rowMaker } from '../file/row-maker.ts'
import { csvHeader, printCsv } from '../text/csv-print.ts'
import { checkPrintOptions, type JsonPrintOptions, notPrintable } from '../text/json-print.ts'
import { JsonRowPrinter } from '../text/json-rows.ts'
import type { TextBytes } from '../text/text-bytes.ts'
import { safeName } from './names.ts'
import { openTextOutput } from './text-output.ts'

export interface FileSinkOptions extends JsonPrintOptions {
  /** Results go to the directory of the sink's name below this one. */
  readonly directory: string
  /** JSON lines (the default) or CSV. */
  readonly format?: 'jsonl' | 'csv'
  /** The fields to write and their order; required for CSV, default for JSON lines: all of each row. */
  readonly columns?: readonly string[]
  /** CSV files begin with the names of the columns. Default true. */
  readonly header?: boolean
  /** Of CSV, one ASCII character. Default a comma. */
  readonly delimiter?: string
  /** Size at which an epoch goes on in another file. Default 64 MiB. */
  readonly rollBytes?: number
}

/**
 * Writes rows to `<directory>/<name of the sink>/*.jsonl` or `*.csv`. A file appears under such a name when the
 * checkpoint that covers it is complete, and never changes after that: each row is in the files exactly once, whatever
 * crashes in between. Unfinished files are hidden and end in `.pending`.
 *
 * A new state directory refuses a directory that holds results already (TM1730). NaN, the infinities and bigints need
 * an option that says how to write them (TM1735).
 *
 * @example
 * perMinute.results.to('revenue', fileSink({ directory: param('output') }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function fileSink<In = unknown>(options: FileSinkOptions): Sink<In> {
  const {
    directory,
    format = 'jsonl',
    columns,
    delimiter = ',',
    header = true,
    rollBytes = 1 << 26,
  } = options
  if (typeof directory !== 'string' || directory === '')
    throw badOption('fileSink: directory is empty')
  if (format !== 'jsonl' && format !== 'csv')
    throw badOption("fileSink: format is 'jsonl' or 'csv'")
  if (format === 'csv' && (columns === undefined || columns.length === 0))
    throw badOption('fileSink: CSV needs `columns`')
  if (!/^[\t -~]$/.test(delimiter) || delimiter === '"')
    throw badOption('fileSink: delimiter is one ASCII character, no quote')
  requireWhole('fileSink', 'rollBytes', rollBytes, 1, Number.MAX_SAFE_INTEGER)
  checkPrintOptions('fileSink', options)
  return Object.freeze<Sink<In>>({
    role: 'sink',
    connector: 'fileSink',
    describe: Object.freeze({ directory, format }),
    guarantee: 'transactional',
    acceptsViews: true,
    open: (context) =>
      openTextOutput<In>(context, {
        directory: `${directory.replace(/(?!^)\/+$/, '')}/${safeName(context.name, 'sink')}`,
        extension: format,
        print: printer(format, columns, delimiter, options),
        header: format === 'csv' && header ? csvHeader(columns ?? [], delimiter) : undefined,
        rollBytes,
      }),
  })
}

function printer(
  format: 'jsonl' | 'csv',
  columns: readonly string[] | undefined,
  delimiter: string,
  options: JsonPrintOptions,
): (row: unknown, timestampMs: number, out: TextBytes) => void {
  const json = new JsonRowPrinter(options)
  if (columns === undefined) return (row, _timestampMs, out) => json.print(row, out)
  if (format === 'csv')
    return (row, _timestampMs, out) => out.text(printCsv(row, columns, delimiter, options))
  const make = rowMaker(columns)
  const values: unknown[] = new Array<unknown>(columns.length).fill(undefined)
  return (row, _timestampMs, out) => {
    if (typeof row !== 'object' || row === null) throw notPrintable('', 'not a record')
    for (let i = 0; i < columns.length; i++) values[i] = readField(row, columns[i]!)
    json.print(make(values), out)
  }
}
