/**
 * How far a reader may go: from the writer's own state when it lives in this process, otherwise from the sidecar, and
 * when that says nothing (lost in a power cut, damaged) from what the log itself proves.
 */
import type { DiskFile, Env } from '../base/env.ts'
import { isMissing, listPartition, type PartitionFiles, type PartitionPlace } from './layout.ts'
import {
  bootNumber,
  type Marks,
  type MarksRead,
  marksBytes,
  marksFile,
  readMarks,
} from './marks.ts'
import type { PartitionState } from './partition-state.ts'
import { type ScannedBatch, scanBatches } from './scan.ts'
import { TransactionTable } from './transactions.ts'

export interface VisibleEnd {
  readonly generation: number
  /** Damage below this offset is corruption; above it, it is a write in progress or a torn tail. */
  readonly durable: number
  /** Readers may see offsets below it. */
  readonly visible: number
  readonly stable: number
}

/** Proving reads the last segment; it is not done more often than this. */
const provenMs = 500

export type StateLookup = () => PartitionState | undefined

export class EndWatcher {
  readonly #env: Env
  readonly #place: PartitionPlace
  readonly #lookup: StateLookup
  readonly #boot: number
  readonly #buffer = new Uint8Array(marksBytes)
  #file: DiskFile | undefined
  #last: VisibleEnd | undefined
  #provenUntilMs = Number.NEGATIVE_INFINITY

  constructor(env: Env, place: PartitionPlace, lookup: StateLookup) {
    this.#env = env
    this.#place = place
    this.#lookup = lookup
    this.#boot = bootNumber(env.host.bootId)
  }

  /** The newest knowledge; never goes back. */
  async refresh(): Promise<VisibleEnd> {
    const end = await this.#current()
    const last = this.#last
    if (last === undefined || end.generation > last.generation || end.visible >= last.visible)
      this.#last = end
    return this.#last ?? end
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #current(): Promise<VisibleEnd> {
    const state = this.#lookup()
    if (state !== undefined && !state.closed) {
      const { generation, durable, visible, stable } = state
      return { generation, durable, visible, stable }
    }
    const sidecar = await this.#readSidecar()
    const { marks } = sidecar
    if (marks !== undefined && marks.boot === this.#boot && sidecar.damaged.length === 0)
      return this.#fromMarks(marks)
    const now = this.#env.clock.monoMs()
    if (this.#last !== undefined && now < this.#provenUntilMs) return this.#last
    this.#provenUntilMs = now + provenMs
    const files = await listPartition(this.#env, this.#place, new Map())
    const proven = await provenEnd(this.#env, this.#place, files)
    const durable = Math.max(proven.durable, marks?.durable ?? 0)
    return {
      generation: files.generation,
      durable,
      visible: durable,
      stable: proven.stableBelow(durable),
    }
  }

  #fromMarks(marks: Marks): VisibleEnd {
    const visible =
      this.#place.topic.durability === 'sync'
        ? marks.durable
        : Math.max(marks.written, marks.durable)
    return { generation: marks.generation, durable: marks.durable, visible, stable: marks.stable }
  }

  /** A slot may be caught in the middle of a write, so damage counts only when it stays. */
  async #readSidecar(): Promise<MarksRead> {
    try {
      this.#file ??= await this.#env.disk.open(`${this.#place.directory}/${marksFile}`, 'read')
    } catch (error) {
      if (isMissing(error)) return { marks: undefined, damaged: [] }
      throw error
    }
    for (let attempt = 0; ; attempt++) {
      const found = await readMarks(this.#file, this.#place.seed, this.#buffer)
      if (found.damaged.length === 0 || attempt >= 3) return found
      await this.#env.tasks.yield()
    }
  }
}

interface ProvenEnd {
  readonly durable: number
  /** The offset of the first record below `end` whose transaction is open there; `end` when all are decided. */
  stableBelow(end: number): number
}

/** What the segments and the clean mark say about durability and transactions; reads the last segment. */
async function provenEnd(
  env: Env,
  place: PartitionPlace,
  files: PartitionFiles,
): Promise<ProvenEnd> {
  const { clean } = files
  let durable = clean?.endOffset ?? 0
  const last = files.extents.at(-1)
  if (last === undefined) return { durable, stableBelow: (end) => clean?.stableOffset ?? end }
  durable = Math.max(durable, last.header.endOffset)
  const transactional: Pick<ScannedBatch, 'kind' | 'producerId' | 'epoch' | 'baseOffset'>[] = []
  const file = await env.disk.open(last.path, 'read')
  try {
    const { headerBytes, baseOffset, generation } = last.header
    const range = { position: headerBytes, baseOffset, generation, toOffset: last.to }
    await scanBatches(file, place.seed, range, (batch) => {
      durable = Math.max(durable, batch.durableMark)
      const { kind, producerId, epoch, baseOffset } = batch
      if (batch.transactional) transactional.push({ kind, producerId, epoch, baseOffset })
    })
  } finally {
    await file.close()
  }
  return {
    durable,
    stableBelow: (end) => {
      const transactions = new TransactionTable(last.header.state)
      for (const { kind, producerId, epoch, baseOffset } of transactional)
        if (baseOffset < end) transactions.apply(kind, producerId, epoch, baseOffset)
      return transactions.stableOffset(end)
    },
  }
}
