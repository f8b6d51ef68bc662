/** The catalogue of the event log: codes TM1200 to TM1299, one page each under `docs/errors/`. */
import { defineErrors, type ErrorDetails, TidemillError } from '../base/errors.ts'
import { DiskError } from '../base/env.ts'

export const logErrors = defineErrors({
  topicUnknown: {
    code: 'TM1200',
    kind: 'user',
    title: 'the topic does not exist',
    remedy: 'Check the name and the log directory, or create it with `tidemill log create`.',
  },
  topicExists: {
    code: 'TM1201',
    kind: 'user',
    title: 'the topic exists already',
    remedy: 'Use the existing topic, or choose another name.',
  },
  topicInvalid: {
    code: 'TM1202',
    kind: 'user',
    title: 'the topic cannot be created or opened like this',
    remedy: 'Correct the name, the option or the partition that the message names.',
  },
  batchInvalid: {
    code: 'TM1203',
    kind: 'user',
    title: 'the batch is not valid',
    remedy: 'Correct the batch as the message says; nothing was written.',
  },
  locked: {
    code: 'TM1204',
    kind: 'user',
    title: 'the partition already has a writer',
    remedy: 'Stop the other writer first, or append to another partition; reading needs no lease.',
  },
  fenced: {
    code: 'TM1205',
    kind: 'fatal',
    title: 'another writer has taken over the partition',
    remedy:
      'Stop this writer: what it appends from now on would be ignored. Find out why two were started.',
  },
  corrupt: {
    code: 'TM1206',
    kind: 'fatal',
    title: 'stored log data failed its check',
    remedy:
      'Run `tidemill log verify TOPIC --dir DIR` for a full report. Restore the file from a copy; nothing was changed.',
  },
  endsEarly: {
    code: 'TM1207',
    kind: 'fatal',
    title: 'the log ends before records that were durable',
    remedy: 'Do not append. Restore the missing files of the partition from a copy.',
  },
  gap: {
    code: 'TM1208',
    kind: 'fatal',
    title: 'records that were to be read are gone',
    remedy:
      "Start from a later position, or allow the gap with `onGap: 'skip'`; keep records longer next time.",
  },
  diskFull: {
    code: 'TM1209',
    kind: 'transient',
    title: 'the disk is full, nothing was appended',
    remedy: 'Free space or shorten the retention, then append again; the same writer goes on.',
  },
  ioFailed: {
    code: 'TM1210',
    kind: 'transient',
    title: 'the disk failed, the writer has stopped',
    remedy:
      'Open a new writer: it keeps every acknowledged record. If it fails again, check the disk and the system log.',
  },
  closed: {
    code: 'TM1211',
    kind: 'user',
    title: 'the log handle is closed',
    remedy: 'Open it again before using it.',
  },
  beyondEnd: {
    code: 'TM1212',
    kind: 'fatal',
    title: 'the position lies beyond the end of the log',
    remedy: 'Check that the topic was not truncated or created anew since the position was stored.',
  },
  transactionUnknown: {
    code: 'TM1213',
    kind: 'user',
    title: 'the transaction is not known',
    remedy:
      'Begin the transaction first; old outcomes are kept for a limited number of epochs per producer.',
  },
  transactionState: {
    code: 'TM1214',
    kind: 'user',
    title: 'the transaction does not allow this step now',
    remedy: 'Follow the order begin, append, prepare, then commit or abort.',
  },
  formatUnknown: {
    code: 'TM1215',
    kind: 'fatal',
    title: 'the file was written by a newer version',
    remedy: 'Use the version of Tidemill that wrote it, or a later one.',
  },
  queueFull: {
    code: 'TM1216',
    kind: 'transient',
    title: 'too many bytes wait to be appended',
    remedy: 'Await earlier appends before issuing more, or raise `pendingBytesMax`.',
  },
  recordsMalformed: {
    code: 'TM1217',
    kind: 'fatal',
    title: 'the records of a batch cannot be decoded',
    remedy:
      'The producer wrote another layout than it declared; read the batch as bytes and fix the producer.',
  },
  keyMissing: {
    code: 'TM1218',
    kind: 'user',
    title: 'a compacted topic takes only records with a key',
    remedy: 'Give every record a key and use the payload kind `records`.',
  },
  textInvalid: {
    code: 'TM1219',
    kind: 'user',
    title: 'a line cannot be turned into a record',
    remedy: 'Correct the line, or choose the format that it is written in.',
  },
})

/** Codes that a disk gives when space, quota or a size limit is used up. */
export function isDiskFull(error: unknown): boolean {
  return (
    error instanceof DiskError &&
    (error.errno === 'ENOSPC' || error.errno === 'EDQUOT' || error.errno === 'EFBIG')
  )
}

/**
 * Wraps an error of the disk with a code of the log. Everything else passes as it is, in particular what the simulator
 * throws to end a life.
 */
export function wrapDiskError(error: unknown, doing: string, file: string): unknown {
  if (!(error instanceof DiskError)) return error
  const definition = isDiskFull(error) ? logErrors.diskFull : logErrors.ioFailed
  return new TidemillError(definition, {
    message: `${doing}: ${error.errno}`,
    details: { file, errno: error.errno },
    cause: error,
  })
}

/** Damage at one place of one file. */
export function corrupt(
  file: string,
  offset: number,
  message: string,
  details?: ErrorDetails,
): TidemillError {
  return new TidemillError(logErrors.corrupt, { message, details: { file, offset, ...details } })
}
