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
import { scanBatches } from './scan.ts'

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
    const durable = Math.max(
      await provenDurable(this.#env, this.#place, files),
      marks?.durable ?? 0,
    )
    const decided = files.clean?.endOffset === durable ? files.clean.stableOffset : marks?.stable
    return {
      generation: files.generation,
      durable,
      visible: durable,
      stable: Math.min(durable, decided ?? durable),
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

/** What the segments and the clean mark say about durability; reads the last segment. */
export async function provenDurable(
  env: Env,
  place: PartitionPlace,
  files: PartitionFiles,
): Promise<number> {
  let durable = files.clean?.endOffset ?? 0
  const last = files.extents.at(-1)
  if (last === undefined) return durable
  durable = Math.max(durable, last.header.endOffset)
  const file = await env.disk.open(last.path, 'read')
  try {
    const { headerBytes, baseOffset, generation } = last.header
    const range = { position: headerBytes, baseOffset, generation, toOffset: last.to }
    await scanBatches(file, place.seed, range, (batch) => {
      durable = Math.max(durable, batch.durableMark)
    })
  } finally {
    await file.close()
  }
  return durable
}
