/**
 * The source of speed runs in profile S1: segment after segment of frames in memory. Moving on to the next segment is
 * not part of what is measured, so the meter stops meanwhile.
 */
import type { Source } from 'tidemill'
import type { FrameBatch, PartitionReader, SourceHandle } from '../../src/connectors/contract.ts'
import type { Meter } from './meter.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'
import type { FrameSegments } from './segments.ts'

export function segmentSource(
  segments: FrameSegments,
  count: number,
  meter: Meter,
): Source<EventRow> {
  const handle: SourceHandle<EventRow> = {
    partitions: () => Promise.resolve(['0']),
    reader: () => Promise.resolve(new SegmentReader(segments, count, meter)),
    close: () => Promise.resolve(),
  }
  return {
    role: 'source',
    connector: 'nexmark-segments',
    describe: { segments: count, events: segments.events },
    schema: nexmarkEvent,
    bounded: true,
    open: () => Promise.resolve(handle),
  }
}

class SegmentReader implements PartitionReader<EventRow> {
  readonly #segments: FrameSegments
  readonly #count: number
  readonly #meter: Meter
  #segment = 0
  #frame = 0

  constructor(segments: FrameSegments, count: number, meter: Meter) {
    this.#segments = segments
    this.#count = count
    this.#meter = meter
  }

  poll(): FrameBatch | 'end' {
    const { frames } = this.#segments
    if (this.#frame === frames.length) {
      // The last section ends with the job: results and the last checkpoint belong to it.
      if (this.#segment === this.#count - 1) return 'end'
      this.#meter.end()
      this.#segments.next()
      this.#segment++
      this.#frame = 0
      this.#meter.begin()
    }
    const at = this.#frame++
    return { kind: 'frame', frame: frames[at]!, locate: (i) => `frame ${at}, row ${i}` }
  }

  read(): Promise<FrameBatch | 'end'> {
    return Promise.resolve(this.poll())
  }

  wait(): Promise<void> {
    return Promise.resolve()
  }

  position(): Uint8Array {
    const position = new Float64Array([this.#segment, this.#frame])
    return new Uint8Array(position.buffer)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
