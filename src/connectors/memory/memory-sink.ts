/** Rows collected in memory, for tests. */
import { toPlain } from '../../schema/row.ts'
import type { PreparedEpoch, Sink, SinkContext, SinkCounts, SinkWriter } from '../contract.ts'

export interface MemorySink<In> extends Sink<In> {
  /** Rows of committed epochs, in order. */
  readonly records: readonly In[]
  /** Rows written and not yet committed; they may come again after a restart. */
  readonly pending: readonly In[]
  clear(): void
}

/**
 * Collects rows in this process: `records` are those of committed epochs, exactly once also when the job restarts inside of
 * the process. Nothing survives the process, and a job with worker threads has a sink of its own in each.
 *
 * @example
 * const out = memorySink<Alert>()
 * alerts.to('alerts', out)
 * await app.run()
 * deepEqual(out.records, [...])
 *
 * @since 0.1.0
 * @stability experimental
 */
export function memorySink<In = unknown>(): MemorySink<In> {
  const store = new Store<In>()
  return Object.freeze<MemorySink<In>>({
    role: 'sink',
    connector: 'memory',
    describe: Object.freeze({}),
    guarantee: 'transactional',
    acceptsViews: true,
    open: async (context) => new MemoryWriter(store, context),
    get records() {
      return store.records
    },
    get pending() {
      return [...store.prepared.values(), ...store.writing].flat()
    },
    clear: () => store.clear(),
  })
}

class Store<In> {
  records: In[] = []
  /** By the text that stands for them in checkpoints. */
  readonly prepared = new Map<string, In[]>()
  readonly writing = new Set<In[]>()

  clear(): void {
    this.records = []
    this.prepared.clear()
    for (const rows of this.writing) rows.length = 0
  }
}

class MemoryWriter<In> implements SinkWriter<In> {
  readonly full = false
  readonly #store: Store<In>
  readonly #subtask: string
  #current: In[] = []
  #received = 0
  #serial = 0

  constructor(store: Store<In>, { job, name, generation, subtask }: SinkContext) {
    this.#store = store
    this.#subtask = `${subtask}/${generation}/${job}/${name}`
    store.writing.add(this.#current)
  }

  write(row: In): void {
    this.#current.push(toPlain(row) as In) // the same row, copied out of its frame
    this.#received++
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  prepare(epoch: number): Promise<Uint8Array> {
    const rows = this.#current
    if (rows.length === 0) return Promise.resolve(new Uint8Array(0))
    this.#store.writing.delete(rows)
    this.#current = []
    this.#store.writing.add(this.#current)
    const id = `${this.#subtask}/${epoch}/${this.#serial++}`
    this.#store.prepared.set(id, rows)
    return Promise.resolve(new TextEncoder().encode(id))
  }

  commit(_epoch: number, prepared: Uint8Array): Promise<void> {
    const id = new TextDecoder().decode(prepared)
    const rows = this.#store.prepared.get(id)
    if (rows !== undefined) {
      for (let i = 0; i < rows.length; i++) this.#store.records.push(rows[i]!)
      this.#store.prepared.delete(id)
    }
    return Promise.resolve()
  }

  async recover(committed: readonly PreparedEpoch[]): Promise<void> {
    for (const { epoch, prepared } of committed) await this.commit(epoch, prepared)
    const prefix = this.#subtask.slice(0, this.#subtask.indexOf('/') + 1)
    const suffix = this.#subtask.slice(this.#subtask.indexOf('/', prefix.length))
    for (const id of [...this.#store.prepared.keys()]) {
      const rest = id.slice(id.indexOf('/', prefix.length))
      if (id.startsWith(prefix) && rest.startsWith(`${suffix}/`)) this.#store.prepared.delete(id)
    }
  }

  counts(): SinkCounts {
    return { received: this.#received, skipped: 0, deadLettered: 0 }
  }

  close(): Promise<void> {
    this.#store.writing.delete(this.#current)
    return Promise.resolve()
  }
}
