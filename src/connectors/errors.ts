/** The catalogue of the connectors: codes TM1700 to TM1799, one page each under `docs/errors/`. */
import { DiskError } from '../base/env.ts'
import { defineErrors, type ErrorDetails, TidemillError } from '../base/errors.ts'

export const connectorErrors = defineErrors({
  fileMissing: {
    code: 'TM1700',
    kind: 'user',
    title: 'an input file does not exist',
    remedy: 'Check the path; it is taken relative to the directory in which the job was started.',
  },
  fileUnreadable: {
    code: 'TM1701',
    kind: 'user',
    title: 'an input file cannot be read',
    remedy:
      'Check that the path names a file, that the job may read it, and the system log if the disk failed.',
  },
  inputShrank: {
    code: 'TM1702',
    kind: 'fatal',
    title: 'an input file ends before the position that was reached',
    remedy:
      'Put the complete file back, or begin with a new state directory if the input was replaced on purpose.',
  },
  inputChanged: {
    code: 'TM1703',
    kind: 'fatal',
    title: 'an input file has other content before the position that was reached',
    remedy:
      'Put the original file back, or begin with a new state directory if the input was replaced on purpose.',
  },
  badOption: {
    code: 'TM1704',
    kind: 'user',
    title: 'an option of a connector is not valid',
    remedy: 'Correct the option that the message names.',
  },
  compressionDamaged: {
    code: 'TM1705',
    kind: 'fatal',
    title: 'a compressed input file is damaged or cut short',
    remedy: 'Fetch the file again; `gzip -t FILE` tells whether a copy is intact.',
  },
  compressionBomb: {
    code: 'TM1706',
    kind: 'user',
    title: 'a compressed input file expands beyond its limit',
    remedy:
      'Raise `gzip.outputBytesMax` or `gzip.ratioMax` of the source if the file can be trusted.',
  },
  clientMissing: {
    code: 'TM1707',
    kind: 'user',
    title: 'a connector needs something that is not installed here',
    remedy: 'Run the command that the message names, or use another format.',
  },
  positionUnknown: {
    code: 'TM1708',
    kind: 'fatal',
    title: 'the stored position of a source cannot be used',
    remedy:
      'Restore with the version and the source that wrote the checkpoint, or begin with a new state directory.',
  },
  unboundedInBatch: {
    code: 'TM1709',
    kind: 'user',
    title: 'a source without an end cannot be read in batch mode',
    remedy:
      "Give the source an end (for a log `until: 'end'`, for datagen `count`), or run in stream mode.",
  },
  recordTooLong: {
    code: 'TM1710',
    kind: 'user',
    title: 'a record is longer than the limit',
    remedy:
      'Raise `recordBytesMax` of the source if such records are meant, else look for a missing line break.',
  },
  notUtf8: {
    code: 'TM1711',
    kind: 'user',
    title: 'a record is not UTF-8 text',
    remedy: 'Convert the input to UTF-8, for instance with `iconv -f LATIN1 -t UTF-8`.',
  },
  jsonTooDeep: {
    code: 'TM1712',
    kind: 'user',
    title: 'a JSON record is nested too deeply',
    remedy: 'Flatten the record at its origin: at most 64 levels of arrays and objects are read.',
  },
  jsonInvalid: {
    code: 'TM1713',
    kind: 'user',
    title: 'a record is not JSON',
    remedy: 'Correct the record at its origin, or take such records with `tryFrom`.',
  },
  recordRefused: {
    code: 'TM1714',
    kind: 'user',
    title: 'a record does not fit its schema',
    remedy:
      'Correct the record at its origin, change the schema, or take such records with `tryFrom`.',
  },
  csvColumns: {
    code: 'TM1715',
    kind: 'user',
    title: 'a CSV record has the wrong number of columns',
    remedy: 'Correct the record; a value that contains the delimiter must be quoted.',
  },
  csvQuotes: {
    code: 'TM1716',
    kind: 'user',
    title: 'the quotes of a CSV record do not match',
    remedy: 'Close the quote, and double quotes inside a quoted value.',
  },
  csvHeader: {
    code: 'TM1717',
    kind: 'user',
    title: 'the columns of a CSV file are not those that are needed',
    remedy:
      'Correct `columns` or the schema: every field of the schema needs a column of its name.',
  },
  parquetUnreadable: {
    code: 'TM1718',
    kind: 'user',
    title: 'a Parquet file cannot be read',
    remedy: 'Check the file with another tool; the message says what was found.',
  },
  standardInputTaken: {
    code: 'TM1719',
    kind: 'user',
    title: 'standard input cannot be read a second time',
    remedy:
      'Start the job again and pipe the same input from its beginning; append input that cannot be repeated to a topic ' +
      'first, with `tidemill log append`, and read that.',
  },
  outputNotEmpty: {
    code: 'TM1730',
    kind: 'user',
    title: 'the output directory holds results of another run',
    remedy:
      'Choose another output directory, remove the old results, or use the state directory that belongs to them.',
  },
  outputClash: {
    code: 'TM1731',
    kind: 'fatal',
    title: 'a result file exists already with other content',
    remedy:
      'Find out who else writes to this directory: two jobs or two copies of a state must not share one.',
  },
  outputLost: {
    code: 'TM1732',
    kind: 'fatal',
    title: 'a prepared result file is missing or damaged',
    remedy:
      'Use the output directory of the former start, restore it from a copy, or restart from an older checkpoint with a new one.',
  },
  outputDiskFull: {
    code: 'TM1733',
    kind: 'transient',
    title: 'the disk of a sink is full',
    remedy: 'Free space; the job goes on from its last checkpoint.',
  },
  outputFailed: {
    code: 'TM1734',
    kind: 'transient',
    title: 'a sink could not write',
    remedy: 'Check that the job may write there, and the system log if the disk failed.',
  },
  notPrintable: {
    code: 'TM1735',
    kind: 'user',
    title: 'a value has no form in the output format',
    remedy:
      "Convert the field before the sink; for NaN and Infinity `nonFinite: 'null'` writes null, for bigint `bigint: 'text'` or `'number'`.",
  },
  userSink: {
    code: 'TM1737',
    kind: 'user',
    title: 'the function of a sink threw',
    remedy: 'Correct the function; the cause is shown above.',
  },
  outputClosed: {
    code: 'TM1738',
    kind: 'user',
    title: 'nobody reads standard output any more',
    remedy: 'Keep its reader running for as long as the job, or write to files with `fileSink`.',
  },
  deadLetterDamaged: {
    code: 'TM1740',
    kind: 'fatal',
    title: 'a dead letter cannot be read',
    remedy: 'Restore the file from a copy or correct the line that the message names.',
  },
  deadLettersNowhere: {
    code: 'TM1741',
    kind: 'user',
    title: 'dead letters have no directory',
    remedy: 'Give `deadLetters({ directory })`, or run the job with a state directory.',
  },
  badName: {
    code: 'TM1742',
    kind: 'user',
    title: 'a name cannot be used for files',
    remedy:
      'Use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
  },
})

/** TM1704 for an option. */
export function badOption(message: string): TidemillError {
  return new TidemillError(connectorErrors.badOption, { message })
}

/** TM1709. */
export function unbounded(connector: string): TidemillError {
  return new TidemillError(connectorErrors.unboundedInBatch, { message: connector })
}

/** What a disk says about an input, with the file's name. Everything that is not a disk error passes as it is. */
export function inputError(error: unknown, file: string): unknown {
  if (!(error instanceof DiskError)) return error
  const missing = error.errno === 'ENOENT' || error.errno === 'ENOTDIR'
  const definition = missing ? connectorErrors.fileMissing : connectorErrors.fileUnreadable
  return new TidemillError(definition, {
    message: file,
    details: { file, errno: error.errno },
    cause: error,
  })
}

const diskFull: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What a disk says about an output. Everything that is not a disk error passes, also what ends a simulated life. */
export function outputError(error: unknown, doing: string, details: ErrorDetails): unknown {
  if (!(error instanceof DiskError)) return error
  const definition = diskFull.has(error.errno)
    ? connectorErrors.outputDiskFull
    : connectorErrors.outputFailed
  return new TidemillError(definition, {
    message: `${doing}: ${error.errno}`,
    details: { ...details, errno: error.errno },
    cause: error,
  })
}
