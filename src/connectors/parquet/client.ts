/** Parquet decoding by hyparquet, the only file that touches it. */
import type { Compressors, FileMetaData } from 'hyparquet'
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors } from '../errors.ts'

/** Random access to a file's bytes. */
export interface ParquetBytes {
  readonly byteLength: number
  slice(start: number, end?: number): Promise<ArrayBuffer>
}

export interface ParquetFile {
  readonly columns: readonly string[]
  /** Rows of each row group. */
  readonly groups: readonly number[]
  /** The values of the named columns of one row group, each as long as the group. */
  readGroup(
    group: number,
    columns: readonly string[],
  ): Promise<ReadonlyMap<string, ArrayLike<unknown>>>
}

/** Reads the metadata. TM1707 when a package is missing. */
export async function openParquet(file: ParquetBytes): Promise<ParquetFile> {
  const [{ parquetMetadataAsync, parquetRead, parquetSchema }, { compressors }] = await load()
  const metadata: FileMetaData = await parquetMetadataAsync(file)
  const groups = metadata.row_groups.map((group) => Number(group.num_rows))
  const starts = groups.map((_, i) => groups.slice(0, i).reduce((sum, rows) => sum + rows, 0))
  return {
    columns: parquetSchema(metadata).children.map((child) => child.element.name),
    groups,
    async readGroup(group, columns) {
      const start = starts[group] ?? 0
      const rows = groups[group] ?? 0
      const pieces = new Map<
        string,
        { readonly at: number; readonly values: ArrayLike<unknown> }[]
      >()
      await parquetRead({
        file,
        metadata,
        compressors: compressors as Compressors,
        columns: [...columns],
        rowStart: start,
        rowEnd: start + rows,
        onChunk: ({ columnName, columnData, rowStart }) => {
          const list = pieces.get(columnName) ?? []
          list.push({ at: rowStart - start, values: columnData as ArrayLike<unknown> })
          pieces.set(columnName, list)
        },
      })
      return new Map(columns.map((column) => [column, joined(pieces.get(column) ?? [], rows)]))
    },
  }
}

async function load(): Promise<
  [typeof import('hyparquet'), typeof import('hyparquet-compressors')]
> {
  try {
    return await Promise.all([import('hyparquet'), import('hyparquet-compressors')])
  } catch (cause) {
    throw new TidemillError(connectorErrors.clientMissing, {
      message: 'Parquet needs two packages: npm install hyparquet@1 hyparquet-compressors@1',
      cause,
    })
  }
}

/** Usually one piece holds the whole group. */
function joined(
  pieces: readonly { readonly at: number; readonly values: ArrayLike<unknown> }[],
  rows: number,
): ArrayLike<unknown> {
  const [first] = pieces
  if (first !== undefined && pieces.length === 1 && first.at === 0 && first.values.length === rows)
    return first.values
  const all = new Array<unknown>(rows).fill(undefined)
  for (const { at, values } of pieces) {
    for (let i = 0; i < values.length; i++)
      if (at + i >= 0 && at + i < rows) all[at + i] = values[i]
  }
  return all
}
