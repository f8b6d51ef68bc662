/** Rows of frames in a topic, from the schema that their writer has kept beside it. */
import { decodeFrame } from '../frame/decode.ts'
import { type FrameLayout, layoutOf } from '../frame/layout.ts'
import type { EventLog } from '../log/log.ts'
import type { LogBatch } from '../log/types.ts'
import { toJsonForm } from '../schema/json-form.ts'
import { schemaOf } from '../schema/schema.ts'
import type { SchemaType } from '../schema/types.ts'

export interface FrameRow {
  readonly offset: number
  /** Absent for a row without event time. */
  readonly timestamp: number | undefined
  /** JSON text, in the form that the schema reads. */
  readonly value: string
}

/** Reads frames of one topic; schemas are looked up once. */
export class FrameRows {
  readonly #log: EventLog
  readonly #topic: string
  readonly #layouts = new Map<bigint, FrameLayout | undefined>()

  constructor(log: EventLog, topic: string) {
    this.#log = log
    this.#topic = topic
  }

  /** `undefined` when the schema is not known here. */
  async of(batch: LogBatch): Promise<readonly FrameRow[] | undefined> {
    const layout = await this.#layout(batch.schemaFingerprint)
    if (layout === undefined) return undefined
    const frame = decodeFrame(layout, batch.payload)
    const rows: FrameRow[] = []
    for (let i = batch.skip; i < frame.length; i++) {
      const timestamp = frame.timestampAt(i)
      rows.push({
        offset: batch.baseOffset + i,
        timestamp: Number.isNaN(timestamp) ? undefined : timestamp,
        value: JSON.stringify(toJsonForm(layout.schema.type, layout.plain(frame, i))),
      })
    }
    return rows
  }

  async #layout(fingerprint: bigint): Promise<FrameLayout | undefined> {
    if (!this.#layouts.has(fingerprint)) {
      const type = await this.#log.schema(this.#topic, fingerprint)
      // What was written under this fingerprint describes these columns; whether it does is checked by each frame.
      const layout = type === undefined ? undefined : layoutOf(schemaOf(type as SchemaType))
      this.#layouts.set(fingerprint, layout)
    }
    return this.#layouts.get(fingerprint)
  }
}
