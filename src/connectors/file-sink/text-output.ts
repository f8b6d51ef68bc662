/**
 * A transactional writer of text files: the engine of `fileSink` and `deadLetters`.
 *
 * 1. `write` adds a line to the bytes of the current epoch. `flush` takes them and puts them into the epoch's last
 *    file, beginning another one when it is large enough.
 * 2. `prepare` cuts at once: what is written from then on belongs to the next epoch, also while the promise is
 *    pending. The files of the cut epoch are synced, then their directory; the list of them is what was prepared. An
 *    epoch without lines has no file.
 * 3. `commit` and `recover` publish (see `publish.ts`).
 *
 * Work on the disk is done in the order of the calls. After a failure the writer accepts nothing but `close`: a file
 * whose sync failed must not be trusted (D06), and the job recovers from its last checkpoint anyway.
 */
import { TidemillError } from '../../base/errors.ts'
import type { PreparedEpoch, SinkContext, SinkCounts, SinkWriter } from '../contract.ts'
import { connectorErrors, outputError } from '../errors.ts'
import { makeDirectory } from './directory.ts'
import { finalName } from './names.ts'
import { TextBytes } from '../text/text-bytes.ts'
import { PendingFile } from './pending-file.ts'
import { decodePrepared, encodePrepared, type PreparedFile } from './prepared.ts'
import { publish, removeUnfinished, verifyPrepared } from './publish.ts'

export interface TextOutput<In> {
  /** Where the files go; made when it does not exist. */
  readonly directory: string
  readonly extension: string
  /** Adds one line without its break, or throws and adds nothing. */
  readonly print: (row: In, timestampMs: number, out: TextBytes) => void
  /** First line of every file. */
  readonly header?: string | undefined
  readonly rollBytes: number
}

/** Bytes that wait before the writer calls itself full. */
const waitingMax = 1 << 20
/** Of a buffer at its start; one that has grown beyond `spareBytesMax` is not used again. */
const bufferBytes = 1 << 14
const spareBytesMax = 4 * waitingMax
const lineFeed = 10

/** Bounds the list of prepared files to 64 KiB: beyond it the last file of an epoch grows. */
const filesPerEpochMax = 500

interface EpochOutput {
  text: TextBytes
  readonly files: PendingFile[]
}

export async function openTextOutput<In>(
  context: SinkContext,
  output: TextOutput<In>,
): Promise<SinkWriter<In>> {
  try {
    await makeDirectory(context.env.disk, output.directory)
    if (context.fresh) await requireNoResults(context, output)
  } catch (error) {
    throw outputError(error, 'open', { directory: output.directory })
  }
  return new TextWriter(context, output)
}

async function requireNoResults(
  { env, name }: SinkContext,
  { directory, extension }: TextOutput<never>,
): Promise<void> {
  const old = (await env.disk.list(directory)).filter((file) => file.endsWith(`.${extension}`))
  if (old.length === 0) return
  throw new TidemillError(connectorErrors.outputNotEmpty, {
    message: `${directory} has ${old.length} result files of sink ${name} and the state is new`,
    details: { directory, file: old[0]! },
  })
}

const encoder = new TextEncoder()

class TextWriter<In> implements SinkWriter<In> {
  readonly #context: SinkContext
  readonly #output: TextOutput<In>
  readonly #print: (row: In, timestampMs: number, out: TextBytes) => void
  #current: EpochOutput = { text: new TextBytes(bufferBytes), files: [] }
  /** A buffer whose text was written. */
  #spare: TextBytes | undefined
  /** Bytes taken by `flush` and not yet written. */
  #inFlight = 0
  #received = 0
  #serial = 0
  #work: Promise<void> = Promise.resolve()
  readonly #open = new Set<PendingFile>()
  #failure: unknown

  constructor(context: SinkContext, output: TextOutput<In>) {
    this.#context = context
    this.#output = output
    this.#print = output.print
  }

  write(row: In, timestampMs: number): void {
    const { text } = this.#current
    this.#print(row, timestampMs, text)
    text.byte(lineFeed)
    this.#received++
  }

  get full(): boolean {
    return this.#current.text.length + this.#inFlight >= waitingMax
  }

  flush(): Promise<void> {
    const current = this.#current
    const { text } = current
    current.text = this.#buffer()
    return this.#run('write', () => this.#append(current, text), text.length)
  }

  prepare(epoch: number): Promise<Uint8Array> {
    const cut = this.#current
    const { text } = cut
    this.#current = { text: this.#buffer(), files: [] }
    return this.#run(
      `prepare epoch ${epoch}`,
      () => this.#makeDurable(cut, text, epoch),
      text.length,
    )
  }

  commit(epoch: number, prepared: Uint8Array): Promise<void> {
    const { env } = this.#context
    const { directory } = this.#output
    return this.#run(`commit epoch ${epoch}`, () =>
      publish(env, directory, decodePrepared(prepared, directory)),
    )
  }

  recover(committed: readonly PreparedEpoch[]): Promise<void> {
    return this.#run('recover', async () => {
      const { env, subtask, subtasks } = this.#context
      const { directory } = this.#output
      const wanted = new Set<string>()
      for (const { prepared } of committed) {
        const files = decodePrepared(prepared, directory)
        for (const file of files) wanted.add(file.pending)
        await verifyPrepared(env, directory, files)
        await publish(env, directory, files)
        env.host.crashPoint('recover.recommit')
      }
      await removeUnfinished(env, directory, subtask, subtasks, wanted)
    })
  }

  counts(): SinkCounts {
    return { received: this.#received, skipped: 0, deadLettered: 0 }
  }

  async close(): Promise<void> {
    await this.#work
    for (const file of this.#open) await file.close()
    this.#open.clear()
  }

  #buffer(): TextBytes {
    const buffer = this.#spare ?? new TextBytes(bufferBytes)
    this.#spare = undefined
    return buffer
  }

  async #append(epoch: EpochOutput, text: TextBytes): Promise<void> {
    if (text.length === 0) return
    const { env } = this.#context
    const { header, rollBytes } = this.#output
    let file = epoch.files.at(-1)
    if (
      file === undefined ||
      (file.sizeBytes >= rollBytes && epoch.files.length < filesPerEpochMax)
    ) {
      env.host.crashPoint('sink.begin')
      file = await PendingFile.create(
        env,
        this.#output.directory,
        this.#context,
        () => this.#serial++,
      )
      this.#open.add(file)
      epoch.files.push(file)
      if (header !== undefined) await file.append(encoder.encode(`${header}\n`))
    }
    await file.append(text.bytes.subarray(0, text.length))
    env.host.crashPoint('sink.write')
    text.length = 0
    if (text.bytes.length <= spareBytesMax) this.#spare = text
  }

  async #makeDurable(cut: EpochOutput, text: TextBytes, epoch: number): Promise<Uint8Array> {
    await this.#append(cut, text)
    if (cut.files.length === 0) return encodePrepared([])
    const { env } = this.#context
    env.host.crashPoint('sink.prepare.write')
    const prepared: PreparedFile[] = []
    for (const file of cut.files) {
      await file.sync()
      await file.close()
      this.#open.delete(file)
      const final = finalName(file.name, epoch, this.#output.extension)
      prepared.push({ pending: file.name, final, sizeBytes: file.sizeBytes, crc: file.crc })
    }
    await env.disk.syncDir(this.#output.directory)
    env.host.crashPoint('sink.prepare.sync')
    return encodePrepared(prepared)
  }

  /** Does `step` after everything before it, unless something before it failed. */
  #run<Result>(doing: string, step: () => Promise<Result>, bytes: number = 0): Promise<Result> {
    this.#inFlight += bytes
    const result = this.#work.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        return await step()
      } catch (error) {
        this.#failure = outputError(error, doing, {
          operator: this.#context.name,
          directory: this.#output.directory,
        })
        throw this.#failure
      } finally {
        this.#inFlight -= bytes
      }
    })
    this.#work = result.then(ignore, ignore)
    return result
  }
}

/** The result itself tells the caller; the queue only waits. */
function ignore(): void {}
