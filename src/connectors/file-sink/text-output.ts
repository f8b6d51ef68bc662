/**
 * A transactional writer of text files: the engine of `fileSink` and `deadLetters`.
 *
 * 1. `write` adds a line to the text of the current epoch. `flush` takes that text and puts it into the epoch's last
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
import { PendingFile } from './pending-file.ts'
import { decodePrepared, encodePrepared, type PreparedFile } from './prepared.ts'
import { publish, removeUnfinished, verifyPrepared } from './publish.ts'

export interface TextOutput<In> {
  /** Where the files go; made when it does not exist. */
  readonly directory: string
  readonly extension: string
  /** One line without its break. */
  readonly print: (row: In, timestampMs: number) => string
  /** First line of every file. */
  readonly header?: string | undefined
  readonly rollBytes: number
}

/** Characters that wait before the writer calls itself full. */
const waitingMax = 1 << 20

/** Bounds the list of prepared files to 64 KiB: beyond it the last file of an epoch grows. */
const filesPerEpochMax = 500

interface EpochOutput {
  text: string
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
  readonly #print: (row: In, timestampMs: number) => string
  #current: EpochOutput = { text: '', files: [] }
  /** Characters taken by `flush` and not yet written. */
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
    const current = this.#current
    current.text += `${this.#print(row, timestampMs)}\n`
    this.#received++
  }

  get full(): boolean {
    return this.#current.text.length + this.#inFlight >= waitingMax
  }

  flush(): Promise<void> {
    const current = this.#current
    const text = takeText(current)
    return this.#run('write', () => this.#append(current, text), text.length)
  }

  prepare(epoch: number): Promise<Uint8Array> {
    const cut = this.#current
    const text = takeText(cut)
    this.#current = { text: '', files: [] }
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

  async #append(epoch: EpochOutput, text: string): Promise<void> {
    if (text === '') return
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
    await file.append(encoder.encode(text))
    env.host.crashPoint('sink.write')
  }

  async #makeDurable(cut: EpochOutput, text: string, epoch: number): Promise<Uint8Array> {
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
  #run<Result>(
    doing: string,
    step: () => Promise<Result>,
    characters: number = 0,
  ): Promise<Result> {
    this.#inFlight += characters
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
        this.#inFlight -= characters
      }
    })
    this.#work = result.then(ignore, ignore)
    return result
  }
}

function takeText(epoch: EpochOutput): string {
  const { text } = epoch
  epoch.text = ''
  return text
}

/** The result itself tells the caller; the queue only waits. */
function ignore(): void {}
