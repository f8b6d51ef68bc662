/** What the text file sources have in common: a partition per file, read by a {@link RecordReader}. */
import type { Env } from '../../base/env.ts'
import type { Schema } from '../../schema/types.ts'
import type { PartitionReader, Source, SourceHandle } from '../contract.ts'
import { badOption } from '../errors.ts'
import { checkedPaths, describePaths, type FilePaths, requireFiles } from './paths.ts'
import { openRecords, type RecordFormat, type RecordOptions } from './record-reader.ts'
import { PatientReader, standardInputPath } from './standard-input.ts'

export interface FileSourceParts<Out> {
  readonly connector: string
  readonly paths: FilePaths
  readonly schema: Schema<Out> | undefined
  readonly options: RecordOptions
  readonly describe?: Readonly<Record<string, string | number | boolean>>
  /** Called once when the source is opened. */
  prepare(fields: readonly string[] | undefined): Promise<OpenFile<Out>>
}

/** Opens one file. `start` is where its rows begin when there is no position yet. */
export type OpenFile<Out> = (
  env: Env,
  file: string,
) => Promise<{ readonly format: RecordFormat<Out>; readonly start?: Uint8Array | undefined }>

export function fileSource<Out>(parts: FileSourceParts<Out>): Source<Out> {
  const { connector, schema, options } = parts
  checkBounds(connector, options)
  const paths = checkedPaths(connector, parts.paths)
  return Object.freeze<Source<Out>>({
    role: 'source',
    connector,
    describe: Object.freeze({ files: describePaths(paths), ...parts.describe }),
    schema,
    bounded: true,
    async open({ env, fields }): Promise<SourceHandle<Out>> {
      await requireFiles(env.disk, paths)
      const open = await parts.prepare(fields)
      const readers = new Set<PartitionReader<Out>>()
      return {
        partitions: () => Promise.resolve(paths),
        async reader(file, position) {
          const { format, start } = await open(env, file)
          const records = await openRecords(env, file, format, options, position ?? start)
          const reader = file === standardInputPath ? new PatientReader<Out>(env, records) : records
          readers.add(reader)
          return reader
        },
        async close() {
          for (const reader of readers) await reader.close()
        },
      }
    },
  })
}

function checkBounds(connector: string, options: RecordOptions): void {
  const { recordBytesMax = 1 << 20, chunkBytes = 1 << 18, batchRowsMax = 4096 } = options
  requireWhole(connector, 'recordBytesMax', recordBytesMax, 1, 1 << 30)
  requireWhole(connector, 'chunkBytes', chunkBytes, 1, 1 << 28)
  requireWhole(connector, 'batchRowsMax', batchRowsMax, 1, 1 << 20)
}

/** TM1704 unless `value` is a whole number in the range. */
export function requireWhole(
  connector: string,
  option: string,
  value: number,
  min: number,
  max: number,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw badOption(
    `${connector}: ${option} is ${String(value)}, expected a whole number from ${min} to ${max}`,
  )
}
