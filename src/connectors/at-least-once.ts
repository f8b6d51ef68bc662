/**
 * Sinks that cannot take anything back: what they show may come again after a restart, and is never missing. An epoch is
 * prepared when all its rows are out, so there is nothing to commit or recover.
 */
import { DiskError } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { toPlain } from '../schema/row.ts'
import type { Sink, SinkContext, SinkCounts, SinkWriter } from './contract.ts'
import { connectorErrors } from './errors.ts'
import { checkPrintOptions, type JsonPrintOptions, printJson } from './text/json-print.ts'

export interface StdoutOptions<In> extends JsonPrintOptions {
  /** Text of a row, without line break. Default: text as it is, everything else as JSON. */
  readonly format?: (row: In) => string
}

/**
 * Prints each row as a line on standard output: text as it is, everything else as JSON. After a restart lines since the
 * last checkpoint come again; for results that must not, use `fileSink`.
 *
 * @example
 * app.from('book', lines('book.txt')).to('print', stdout())
 *
 * @since 0.1.0
 * @stability experimental
 */
export function stdout<In = unknown>(options: StdoutOptions<In> = {}): Sink<In> {
  checkPrintOptions('stdout', options)
  const format =
    options.format ?? ((row: In) => (typeof row === 'string' ? row : printJson(row, options)))
  return sink('stdout', (context) => new LineWriter(context, format))
}

/**
 * Drops every row, counted. For measurements, and for results that nobody wants.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function discard(): Sink<unknown> {
  return sink('discard', () => new CallWriter(undefined, undefined))
}

/**
 * Calls a function with every row, synchronously. After a restart it is called again for rows since the last checkpoint. A
 * throw stops the job (TM1737).
 *
 * @since 0.1.0
 * @stability experimental
 */
export function forEach<In>(fn: (row: In, timestampMs: number) => void): Sink<In> {
  return sink('forEach', (context) => new CallWriter(fn, context.name))
}

function sink<In>(connector: string, open: (context: SinkContext) => SinkWriter<In>): Sink<In> {
  return Object.freeze<Sink<In>>({
    role: 'sink',
    connector,
    describe: Object.freeze({}),
    guarantee: 'at-least-once',
    acceptsViews: true,
    open: (context) => Promise.resolve(open(context)),
  })
}

const nothing = new Uint8Array(0)

abstract class OpenWriter<In> implements SinkWriter<In> {
  protected received = 0

  abstract write(row: In, timestampMs: number): void

  get full(): boolean {
    return false
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  async prepare(): Promise<Uint8Array> {
    await this.flush()
    return nothing
  }

  commit(): Promise<void> {
    return Promise.resolve()
  }

  recover(): Promise<void> {
    return Promise.resolve()
  }

  counts(): SinkCounts {
    return { received: this.received, skipped: 0, deadLettered: 0 }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const waitingMax = 1 << 16

class LineWriter<In> extends OpenWriter<In> {
  readonly #context: SinkContext
  readonly #format: (row: In) => string
  #text = ''
  /** Settles when everything taken so far is out; once it has failed it stays failed. */
  #written: Promise<void> = Promise.resolve()

  constructor(context: SinkContext, format: (row: In) => string) {
    super()
    this.#context = context
    this.#format = format
  }

  write(row: In): void {
    this.#text += `${this.#format(row)}\n`
    this.received++
  }

  override get full(): boolean {
    return this.#text.length >= waitingMax
  }

  /** What an earlier flush has taken is waited for too: `prepare` promises that everything is out. */
  override flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    if (text !== '') this.#written = this.#written.then(() => this.#print(text))
    return this.#written
  }

  override close(): Promise<void> {
    return this.flush()
  }

  async #print(text: string): Promise<void> {
    try {
      await this.#context.env.host.writeOut(text)
    } catch (error) {
      throw closedOutput(error, this.#context.name)
    }
  }
}

/** A reader that went away, as `| head` does, comes back in no further life of the job. */
function closedOutput(error: unknown, operator: string): unknown {
  if (!(error instanceof DiskError)) return error
  if (error.errno !== 'EPIPE' && error.errno !== 'ERR_STREAM_DESTROYED') return error
  return new TidemillError(connectorErrors.outputClosed, { details: { operator }, cause: error })
}

class CallWriter<In> extends OpenWriter<In> {
  readonly #fn: ((row: In, timestampMs: number) => void) | undefined
  readonly #name: string | undefined

  constructor(fn: ((row: In, timestampMs: number) => void) | undefined, name: string | undefined) {
    super()
    this.#fn = fn
    this.#name = name
  }

  write(row: In, timestampMs: number): void {
    if (this.#fn !== undefined) this.#call(this.#fn, row, timestampMs)
    this.received++
  }

  #call(fn: (row: In, timestampMs: number) => void, row: In, timestampMs: number): void {
    try {
      fn(toPlain(row) as In, timestampMs) // the same row, copied out of its frame
    } catch (cause) {
      throw new TidemillError(connectorErrors.userSink, {
        message: cause instanceof Error ? cause.message : String(cause),
        details: { operator: this.#name ?? null },
        cause,
      })
    }
  }
}
