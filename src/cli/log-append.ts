/**
 * `tidemill log append`: lines into a topic. Lines that arrive together are appended together; the command goes on only
 * when they are as safe as the topic says, so what it reports is never lost.
 */
import type { Command } from 'commander'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { logErrors } from '../log/errors.ts'
import type { EventLog } from '../log/log.ts'
import { type LogRecord, recordsBatch } from '../log/records.ts'
import { recordFromLine } from '../log/text-records.ts'
import type { AppendBatch } from '../log/types.ts'
import type { LogWriter } from '../log/writer.ts'
import { hashText, keyHash } from '../schema/key.ts'
import { cliErrors } from './errors.ts'
import { readLines } from './lines-of.ts'
import { type LogFlags, withLog } from './open-log.ts'
import { parseCount } from './options.ts'
import type { Session } from './session.ts'
import { counted } from './text.ts'

interface AppendFlags extends LogFlags {
  readonly file?: string
  readonly partition?: number
  readonly key?: string
  readonly keySeparator?: string
  readonly records?: boolean
}

/** Keeps a batch far below the size of a segment, whatever comes in one piece. */
const batchRecordsMax = 500

export function addAppendCommand(command: Command, session: Session): void {
  command
    .option('--file <path>', 'read lines from this file instead of standard input')
    .option('--partition <number>', 'append to this partition (default: by key, or 0)', parseCount)
    .option('--key <field>', 'lines are JSON objects; this field of them is the key')
    .option('--key-separator <text>', 'lines are a key, this text and a value')
    .option('--records', 'lines are records as `log read --json` prints them')
    .action((topic: string, flags: AppendFlags) =>
      withLog(session, flags, (log) => new Appending(log, topic, flags, session).run()),
    )
}

class Appending {
  readonly #log: EventLog
  readonly #topic: string
  readonly #flags: AppendFlags
  readonly #session: Session
  readonly #writers = new Map<number, { readonly writer: LogWriter; records: number }>()
  #partitions = 1

  constructor(log: EventLog, topic: string, flags: AppendFlags, session: Session) {
    this.#log = log
    this.#topic = topic
    this.#flags = flags
    this.#session = session
    const ways = [flags.key, flags.keySeparator, flags.records].filter((way) => way !== undefined)
    if (ways.length > 1) throw usage('--key, --key-separator and --records exclude each other')
  }

  async run(): Promise<void> {
    const { file, partition } = this.#flags
    this.#partitions = (await this.#log.topic(this.#topic)).partitions
    // Whether somebody else is writing is known before the first line is taken.
    if (partition !== undefined || this.#partitions === 1) await this.#writer(partition ?? 0)
    const input = file === undefined ? process.stdin : createReadStream(file)
    const release = stopOnSignals(this.#session, input)
    let line = 0
    try {
      for await (const lines of readLines(input)) {
        const records = new Map<number, LogRecord[]>()
        let failure: unknown
        for (const text of lines) {
          line++
          if (text === '' && (this.#flags.key !== undefined || this.#flags.records === true))
            continue
          try {
            const { record, hash } = this.#record(text)
            const to = partition ?? (hash === undefined ? 0 : (hash >>> 0) % this.#partitions)
            const list = records.get(to)
            if (list === undefined) records.set(to, [record])
            else list.push(record)
          } catch (error) {
            // What came before is appended, so that the message tells exactly where to go on.
            failure = isTidemillError(error) ? error.with({ line }) : error
            break
          }
        }
        await Promise.all([...records].map(([to, list]) => this.#append(to, list)))
        if (failure !== undefined)
          throw isTidemillError(failure) ? failure.with({ appended: this.#count() }) : failure
      }
    } catch (error) {
      const isLine = isTidemillError(error) && error.code === logErrors.textInvalid.code
      // A line that could not even be read has not been counted.
      throw isLine
        ? error.with({ line: line + 1, appended: this.#count() })
        : inputFailed(error, file)
    } finally {
      release()
    }
    await this.#report()
  }

  #record(line: string): KeyedRecord {
    const { key, keySeparator, records } = this.#flags
    const nowMs = this.#session.env.clock.wallMs()
    if (records === true) return withTextKey(recordFromPrinted(line, nowMs))
    const record = recordFromLine(
      line,
      { format: 'text', ...(keySeparator === undefined ? {} : { keySeparator }) },
      nowMs,
    )
    return key === undefined ? withTextKey(record) : withField(record, line, key)
  }

  async #writer(partition: number): Promise<{ readonly writer: LogWriter; records: number }> {
    let open = this.#writers.get(partition)
    if (open === undefined) {
      open = { writer: await this.#log.openWriter(this.#topic, partition), records: 0 }
      this.#writers.set(partition, open)
    }
    return open
  }

  async #append(partition: number, records: readonly LogRecord[]): Promise<void> {
    const open = await this.#writer(partition)
    const batches: AppendBatch[] = []
    for (let i = 0; i < records.length; i += batchRecordsMax)
      batches.push(recordsBatch(records.slice(i, i + batchRecordsMax)))
    await open.writer.appendMany(batches)
    open.records += records.length
  }

  #count(): number {
    let count = 0
    for (const { records } of this.#writers.values()) count += records
    return count
  }

  async #report(): Promise<void> {
    const partitions = [...this.#writers]
      .sort(([a], [b]) => a - b)
      .map(([partition, { records, writer }]) => ({
        partition,
        records,
        nextOffset: writer.nextOffset,
      }))
    if (this.#session.json) {
      await this.#session.printJson({ topic: this.#topic, records: this.#count(), partitions })
      return
    }
    const where = partitions
      .map((one) => `partition ${one.partition} up to offset ${one.nextOffset}`)
      .join(', ')
    await this.#session.print(
      `${this.#topic}: appended ${counted(this.#count(), 'record')}${where === '' ? '' : `; ${where}`}`,
    )
  }
}

const encoder = new TextEncoder()

/** A record, and the hash that names its partition; without a key it has none. */
interface KeyedRecord {
  readonly record: LogRecord
  readonly hash: number | undefined
}

function withTextKey(record: LogRecord): KeyedRecord {
  const hash = record.key === null ? undefined : hashText(new TextDecoder().decode(record.key))
  return { record, hash }
}

/**
 * The key is a field of a JSON line: a text as it is, another value as JSON. Numbers and booleans go to the partition that
 * a job gives them, which is not that of their text.
 */
function withField(record: LogRecord, line: string, field: string): KeyedRecord {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    throw badLine(notJson(error), line)
  }
  const value: unknown =
    isObject(parsed) && Object.hasOwn(parsed, field) ? parsed[field] : undefined
  if (value === undefined || value === null) throw badLine(`no field "${field}"`, line)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const isAtom = Number.isFinite(value) || typeof value === 'boolean'
  const hash = isAtom ? keyHash(value as number | boolean) : hashText(text)
  return { record: { ...record, key: encoder.encode(text) }, hash }
}

/** Takes what `log read --json` prints: place and offset are the reader's, the rest is the record. */
function recordFromPrinted(line: string, nowMs: number): LogRecord {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    throw badLine(notJson(error), line)
  }
  if (!isObject(parsed)) throw badLine('not a JSON object', line)
  const { partition: _, offset: __, encoding, keyEncoding, ...rest } = parsed
  const record = recordFromLine(JSON.stringify(rest), { format: 'json' }, nowMs)
  const unknown = [encoding, keyEncoding].find((one) => one !== undefined && one !== 'hex')
  if (unknown !== undefined) throw badLine(`unknown encoding ${JSON.stringify(unknown)}`, line)
  if (encoding !== undefined)
    return { ...record, key: fromHex(rest['key'], line), value: fromHex(rest['value'], line) }
  return keyEncoding === undefined ? record : { ...record, key: fromHex(rest['key'], line) }
}

function fromHex(text: unknown, line: string): Uint8Array | null {
  if (text === null || text === undefined) return null
  if (typeof text !== 'string' || !/^([0-9a-f]{2})*$/.test(text))
    throw badLine('not hexadecimal', line)
  return new Uint8Array(Buffer.from(text, 'hex'))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notJson(error: unknown): string {
  return `not JSON: ${error instanceof Error ? error.message : String(error)}`
}

function badLine(message: string, line: string): TidemillError {
  const record = line.length > 80 ? `${line.slice(0, 80)}…` : line
  return new TidemillError(logErrors.textInvalid, { message, details: { record } })
}

function usage(message: string): TidemillError {
  return new TidemillError(cliErrors.usage, { message })
}

/** A signal ends the input where it is; everything taken before is appended and reported. */
function stopOnSignals(session: Session, input: Readable): () => void {
  const { host } = session.env
  const stop = (): void => void input.destroy()
  const remove = [host.onSignal('SIGINT', stop), host.onSignal('SIGTERM', stop)]
  return () => {
    for (const undo of remove) undo()
  }
}

function inputFailed(error: unknown, file: string | undefined): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (isTidemillError(error) || typeof code !== 'string' || file === undefined) return error
  return new TidemillError(cliErrors.inputUnreadable, {
    message: `${file}: ${code}`,
    details: { file },
    cause: error,
  })
}
