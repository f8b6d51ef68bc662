/** Text files as a stream of lines. */
import { int, text } from '../../schema/scalars.ts'
import { field, struct, type StructSchema } from '../../schema/struct.ts'
import type { Source } from '../contract.ts'
import { fileSource } from './file-source.ts'
import type { FilePaths } from './paths.ts'
import type { RecordFormat, RecordOptions } from './record-reader.ts'

/** A line and its place. */
export interface LocatedLine {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

export interface LinesOptions extends RecordOptions {
  /** Rows tell file and line number. Default false: rows are the texts. */
  readonly locate?: boolean
}

/** The schema of {@link LocatedLine}. */
export const locatedLine: StructSchema<LocatedLine> = struct('line', {
  file: field(1, text),
  line: field(2, int),
  text: field(3, text),
})

/**
 * The lines of text files, plain or gzip, UTF-8. Each file is a partition. A line ends with LF or CRLF, the last one
 * may lack it; a byte order mark at the front is dropped. Lines that are not UTF-8 (TM1711) or longer than
 * `recordBytesMax` (TM1710) are rejected. Ends with the last file; what is appended later is not followed.
 *
 * Errors: TM1700 for a missing file, TM1702 and TM1703 when a file was cut or replaced since the checkpoint.
 *
 * @example
 * app.from('book', lines('book.txt'))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function lines(
  paths: FilePaths,
  options?: LinesOptions & { readonly locate?: false },
): Source<string>
export function lines(
  paths: FilePaths,
  options: LinesOptions & { readonly locate: true },
): Source<LocatedLine>
export function lines(
  paths: FilePaths,
  options: LinesOptions = {},
): Source<string> | Source<LocatedLine> {
  if (options.locate === true) {
    return fileSource<LocatedLine>({
      connector: 'lines',
      paths,
      schema: locatedLine,
      options,
      describe: { locate: true },
      prepare: async () => async () => ({ format: locatedFormat }),
    })
  }
  return fileSource<string>({
    connector: 'lines',
    paths,
    schema: text,
    options,
    prepare: async () => async () => ({ format: textFormat }),
  })
}

const textFormat: RecordFormat<string> = {
  decodeLines: (texts, line, batch) => batch.consecutive(texts, line),
}

const locatedFormat: RecordFormat<LocatedLine> = {
  decodeLines(texts, line, batch) {
    const rows: LocatedLine[] = []
    for (let i = 0; i < texts.length; i++)
      rows.push({ file: batch.file, line: line + i, text: texts[i]! })
    batch.consecutive(rows, line)
  },
}
