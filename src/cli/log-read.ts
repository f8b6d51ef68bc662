/** `tidemill log read`: records of all partitions or of one, once or as they come. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { logErrors } from '../log/errors.ts'
import type { EventLog } from '../log/log.ts'
import type { LogReader } from '../log/reader.ts'
import { printRecords, type PrintedRecord } from '../log/text-records.ts'
import type { LogBatch } from '../log/types.ts'
import { cliErrors } from './errors.ts'
import { FrameRows } from './frame-rows.ts'
import { type LogFlags, withLog } from './open-log.ts'
import { parseCount } from './options.ts'
import type { Session } from './session.ts'
import { printable, timeText } from './text.ts'

interface ReadFlags extends LogFlags {
  readonly follow?: boolean
  readonly from?: number | 'earliest' | 'latest'
  readonly limit?: number
  readonly partition?: number
  readonly uncommitted?: boolean
}

export function addReadCommand(command: Command, session: Session): void {
  command
    .option('--follow', 'wait for more records until interrupted')
    .option('--from <offset>', 'earliest, latest or an offset (default: earliest)', parseFrom)
    .option('--limit <count>', 'stop after this many records', parseCount)
    .option('--partition <number>', 'read this partition only (default: all of them)', parseCount)
    .option('--uncommitted', 'also records of transactions that are open or aborted')
    .action((topic: string, flags: ReadFlags) =>
      withLog(session, flags, (log) => read(log, topic, flags, session)),
    )
}

function parseFrom(text: string): number | 'earliest' | 'latest' {
  if (text === 'earliest' || text === 'latest') return text
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('it is earliest, latest or an offset')
  return parseCount(text)
}

async function read(
  log: EventLog,
  topic: string,
  flags: ReadFlags,
  session: Session,
): Promise<void> {
  const { partitions } = await log.topic(topic)
  const chosen = flags.partition === undefined ? [...Array(partitions).keys()] : [flags.partition]
  const readers: LogReader[] = []
  let short: TidemillError | undefined
  for (const partition of chosen) {
    try {
      readers.push(
        await log.openReader(topic, partition, {
          from: flags.from ?? 'earliest',
          isolation: flags.uncommitted === true ? 'uncommitted' : 'committed',
        }),
      )
    } catch (error) {
      if (!isTidemillError(error) || error.code !== logErrors.beyondEnd.code) throw error
      short ??= shortOf(partition, flags.from, error)
    }
  }
  // Of several partitions those are read that reach the offset; to follow the others from there has no meaning.
  if (short !== undefined && (readers.length === 0 || flags.follow === true)) throw short
  const rows = new FrameRows(log, topic)
  const printer = new Printer(session, rows, flags.limit ?? Number.POSITIVE_INFINITY)
  if (flags.follow === true) await follow(readers, printer, session)
  else for (const reader of readers) await readToEnd(reader, printer)
}

/** A position that somebody typed is no sign of damage. */
function shortOf(partition: number, from: ReadFlags['from'], error: TidemillError): TidemillError {
  return new TidemillError(cliErrors.usage, {
    message: `--from ${from}: partition ${partition} ends at offset ${error.details['end']}`,
  })
}

/** Up to the end as it was at the start, so that a busy writer does not keep the command alive. */
async function readToEnd(reader: LogReader, printer: Printer): Promise<void> {
  const end = await reader.endOffset()
  while (!printer.full && reader.position < end) {
    const batches = await reader.read()
    if (batches === undefined) return
    for (const batch of batches)
      if (batch.baseOffset < end) await printer.batch(reader.partition, batch)
  }
}

async function follow(
  readers: readonly LogReader[],
  printer: Printer,
  session: Session,
): Promise<void> {
  const stop = new AbortController()
  const { host } = session.env
  const remove = [
    host.onSignal('SIGINT', () => stop.abort()),
    host.onSignal('SIGTERM', () => stop.abort()),
  ]
  const followOne = async (reader: LogReader): Promise<void> => {
    while (!printer.full) {
      for (const batch of await reader.follow({ signal: stop.signal }))
        await printer.batch(reader.partition, batch)
    }
    stop.abort()
  }
  let failure: unknown
  const keepFirst = (error: unknown): void => {
    // Whoever waits when the others stop is rejected with the reason of the signal, which is no failure.
    if (!stop.signal.aborted) failure = error
    stop.abort()
  }
  try {
    await Promise.all(readers.map((reader) => followOne(reader).catch(keepFirst)))
    if (failure !== undefined) throw failure
  } finally {
    for (const undo of remove) undo()
  }
}

/** Prints whole batches, one after the other, up to a limit of records. */
class Printer {
  readonly #session: Session
  readonly #rows: FrameRows
  #left: number

  constructor(session: Session, rows: FrameRows, limit: number) {
    this.#session = session
    this.#rows = rows
    this.#left = limit
  }

  get full(): boolean {
    return this.#left <= 0
  }

  async batch(partition: number, batch: LogBatch): Promise<void> {
    if (batch.kind === 'frame') return this.#frame(partition, batch)
    const lines: string[] = []
    for (const record of printRecords(batch)) {
      if (this.full) break
      this.#left--
      lines.push(
        this.#session.json
          ? JSON.stringify({ partition, ...record })
          : recordLine(partition, record),
      )
    }
    await this.#session.print(...lines)
  }

  async #frame(partition: number, batch: LogBatch): Promise<void> {
    if (this.full) return
    const rows = await this.#rows.of(batch)
    if (rows === undefined) return this.#unknown(partition, batch)
    const shown = rows.slice(0, this.#left)
    this.#left -= shown.length
    await this.#session.print(
      ...shown.map(({ offset, timestamp, value }) => {
        if (this.#session.json)
          return JSON.stringify({ partition, offset, timestamp, key: null, value })
        const time = timestamp === undefined ? '-' : timeText(timestamp)
        return [`${partition}:${offset}`, time, '-', printable(value)].join('\t')
      }),
    )
  }

  /** Nobody has kept the schema, so only its writer knows the columns. */
  async #unknown(partition: number, batch: LogBatch): Promise<void> {
    this.#left -= batch.recordCount - batch.skip
    const offset = batch.baseOffset + batch.skip
    const told = {
      partition,
      offset,
      rows: batch.recordCount - batch.skip,
      bytes: batch.payload.length,
      format: 'frame',
    }
    if (this.#session.json) await this.#session.printJson(told)
    else
      await this.#session.print(
        `${partition}:${offset}  ${told.rows} rows in a frame of ${told.bytes} bytes`,
      )
  }
}

/** `partition:offset  time  key  value`, tabs between; what is absent is a dash. */
function recordLine(partition: number, record: PrintedRecord): string {
  const { offset, timestamp, key, value, encoding, keyEncoding } = record
  const shown = (text: string | null, form: 'hex' | undefined): string =>
    text === null ? '-' : `${form === 'hex' ? '0x' : ''}${printable(text)}`
  return [
    `${partition}:${offset}`,
    timeText(timestamp),
    shown(key, encoding ?? keyEncoding),
    shown(value, encoding),
  ].join('\t')
}
