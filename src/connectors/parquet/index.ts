/** Parquet files as rows; the entry point `tidemill/parquet`. Needs the packages hyparquet and hyparquet-compressors. */
import { readFully } from '../../base/disk-io.ts'
import type { Disk, DiskFile } from '../../base/env.ts'
import { isTidemillError, TidemillError } from '../../base/errors.ts'
import type { StructSchema } from '../../schema/struct.ts'
import type { PartitionReader, Position, RejectedInput, Source, SourceBatch } from '../contract.ts'
import { connectorErrors, inputError } from '../errors.ts'
import { requireFile } from '../file/byte-input.ts'
import { checkedPaths, describePaths, type FilePaths, requireFiles } from '../file/paths.ts'
import { type RowMaker, rowMaker } from '../file/row-maker.ts'
import { decodeIndex, encodeIndex, goneRows } from '../memory/memory-source.ts'
import { openParquet, type ParquetFile } from './client.ts'
import { type FieldReader, fieldReader, plainValue } from './values.ts'

export interface ParquetOptions {
  readonly path: FilePaths
  /** Which columns to read without a schema. Default: all. */
  readonly columns?: readonly string[]
}

/** A row without a schema: whole numbers as numbers if they are safe, times as epoch milliseconds. */
export type ParquetRow = Readonly<Record<string, unknown>>

/**
 * Rows of Parquet files. Only the needed columns are read, one row group at a time; each file is a partition and
 * positions are row numbers. With a schema each field is read from the column of its name and checked; rows that do not
 * fit are rejected (TM1714).
 *
 * @example
 * app.from('flights', parquet({ path: 'flights-3m.parquet', schema: flight }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function parquet<Row>(
  options: ParquetOptions & { readonly schema: StructSchema<Row> },
): Source<Row>
export function parquet(
  options: ParquetOptions & { readonly schema?: undefined },
): Source<ParquetRow>
export function parquet<Row>(
  options: ParquetOptions & { readonly schema?: StructSchema<Row> | undefined },
): Source<Row> {
  const { schema } = options
  const paths = checkedPaths('parquet', options.path)
  const readers = schema?.type.fields.map((field) => fieldReader(field.name, field.type))
  return Object.freeze<Source<Row>>({
    role: 'source',
    connector: 'parquet',
    describe: Object.freeze({
      files: describePaths(paths),
      ...(schema ? { schema: schema.type.name } : {}),
    }),
    schema,
    bounded: true,
    async open({ env }) {
      await requireFiles(env.disk, paths)
      const open = new Set<DiskFile>()
      return {
        partitions: async () => paths,
        async reader(path, position) {
          const { handle, file } = await openFile(env.disk, path)
          open.add(handle)
          const columns = readers?.map((reader) => reader.column) ?? options.columns ?? file.columns
          requireColumns(path, file, columns, readers)
          return new ParquetReader<Row>(path, handle, file, columns, readers, position)
        },
        async close() {
          for (const handle of open) await handle.close()
        },
      }
    },
  })
}

async function openFile(
  disk: Disk,
  path: string,
): Promise<{ readonly handle: DiskFile; readonly file: ParquetFile }> {
  await requireFile(disk, path)
  let handle: DiskFile | undefined
  try {
    const opened = await disk.open(path, 'read')
    handle = opened
    const byteLength = await opened.size()
    const file = await openParquet({
      byteLength,
      async slice(start, end = byteLength) {
        const from = start < 0 ? byteLength + start : start
        const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - from))
        const count = await readFully(opened, bytes, from)
        if (count < bytes.length) throw new RangeError(`the file ends at byte ${from + count}`)
        return bytes.buffer
      },
    })
    return { handle: opened, file }
  } catch (error) {
    await handle?.close()
    throw unreadable(error, path)
  }
}

/** TM1718 for what the decoder says. */
function unreadable(error: unknown, path: string): unknown {
  const known = inputError(error, path)
  if (isTidemillError(known)) return known
  return new TidemillError(connectorErrors.parquetUnreadable, {
    message: `${path}: ${error instanceof Error ? error.message : String(error)}`,
    details: { file: path },
    cause: error,
  })
}

function requireColumns(
  path: string,
  file: ParquetFile,
  columns: readonly string[],
  readers: readonly FieldReader[] | undefined,
): void {
  const absent = columns.filter(
    (column, i) => !file.columns.includes(column) && readers?.[i]?.optional !== true,
  )
  if (absent.length === 0) return
  throw new TidemillError(connectorErrors.parquetUnreadable, {
    message: `${path} has no column ${absent.join(', ')}; its columns are ${file.columns.join(', ')}`,
    details: { file: path },
  })
}

const batchRows = 1024

class ParquetReader<Row> implements PartitionReader<Row> {
  readonly #path: string
  readonly #handle: DiskFile
  readonly #file: ParquetFile
  readonly #columns: readonly string[]
  readonly #readers: readonly FieldReader[] | undefined
  readonly #make: RowMaker
  readonly #count: number
  readonly #values: unknown[]
  /** Row number in the file. */
  #at: number
  /** The decoded row group: its first and last row, and its columns. */
  #from = 0
  #to = 0
  #data: readonly (ArrayLike<unknown> | undefined)[] = []

  constructor(
    path: string,
    handle: DiskFile,
    file: ParquetFile,
    columns: readonly string[],
    readers: readonly FieldReader[] | undefined,
    position: Position | undefined,
  ) {
    this.#path = path
    this.#handle = handle
    this.#file = file
    this.#columns = columns
    this.#readers = readers
    this.#make = rowMaker(columns)
    this.#values = columns.map(() => undefined)
    this.#count = file.groups.reduce((sum, rows) => sum + rows, 0)
    this.#at = position === undefined ? 0 : decodeIndex(position, path)
    if (this.#at > this.#count) throw goneRows(path, this.#at, this.#count)
  }

  poll(): SourceBatch<Row> | 'end' | undefined {
    if (this.#at >= this.#count) return 'end'
    if (this.#at < this.#from || this.#at >= this.#to) return undefined
    const from = this.#at
    const to = Math.min(this.#to, from + batchRows)
    const rows: Row[] = []
    const numbers: number[] = []
    const rejected: RejectedInput[] = []
    for (let n = from; n < to; n++) {
      const reason = this.#fill(n - this.#from)
      if (reason === undefined) {
        rows.push(this.#make(this.#values) as Row) // every field was read as its schema says
        numbers.push(n)
      } else {
        rejected.push({
          raw: this.#describe(n - this.#from),
          source: this.#path,
          position: n,
          beforeRow: rows.length,
          error: {
            code: connectorErrors.recordRefused.code,
            message: `${connectorErrors.recordRefused.title}: ${reason}`,
          },
        })
      }
    }
    this.#at = to
    return {
      kind: 'rows',
      rows,
      rejected,
      locate: (i) => `${this.#path}: row ${numbers[i] ?? from}`,
    }
  }

  async read(): Promise<SourceBatch<Row> | 'end'> {
    for (;;) {
      const batch = this.poll()
      if (batch !== undefined) return batch
      await this.#load()
    }
  }

  wait(): Promise<void> {
    return Promise.resolve()
  }

  position(): Position {
    return encodeIndex(this.#at)
  }

  lag(): Promise<number> {
    return Promise.resolve(this.#count - this.#at)
  }

  close(): Promise<void> {
    this.#data = []
    return this.#handle.close()
  }

  async #load(): Promise<void> {
    let group = 0
    let from = 0
    while (from + (this.#file.groups[group] ?? 0) <= this.#at)
      from += this.#file.groups[group++] ?? 0
    this.#data = []
    try {
      const present = this.#columns.filter((column) => this.#file.columns.includes(column))
      const data = await this.#file.readGroup(group, present)
      this.#data = this.#columns.map((column) => data.get(column))
    } catch (error) {
      throw unreadable(error, this.#path)
    }
    this.#from = from
    this.#to = from + (this.#file.groups[group] ?? 0)
  }

  /** Puts the values of a row of the group into `#values`; the reason when one does not fit. */
  #fill(i: number): string | undefined {
    const values = this.#values
    const data = this.#data
    for (let k = 0; k < values.length; k++) {
      const raw = data[k]?.[i]
      const reader = this.#readers?.[k]
      if (reader === undefined) values[k] = plainValue(raw)
      else {
        const value = reader.read(raw)
        if (value === undefined && !(reader.optional && (raw === undefined || raw === null)))
          return reader.reason(raw)
        values[k] = value
      }
    }
    return undefined
  }

  #describe(i: number): string {
    const pairs = this.#columns.map(
      (column, k) => [column, String(plainValue(this.#data[k]?.[i]))] as const,
    )
    return JSON.stringify(Object.fromEntries(pairs))
  }
}
