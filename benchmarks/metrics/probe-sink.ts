/** A sink that keeps nothing and tells when rows, barriers and commits arrive. */
import type { Sink } from 'tidemill'
import type { SinkWriter } from '../../src/connectors/contract.ts'

export interface Probe<Row> {
  readonly row?: (row: Row) => void
  readonly barrier?: (epoch: number) => void
  readonly commit?: (epoch: number) => void
  /** While true the job waits for `flush`. */
  readonly full?: () => boolean
  readonly flush?: () => Promise<void>
}

export function probeSink<Row>(probe: Probe<Row>): Sink<Row> {
  return {
    role: 'sink',
    connector: 'probe',
    describe: {},
    guarantee: 'transactional',
    acceptsViews: false,
    open: () => Promise.resolve(writerOf(probe)),
  }
}

function writerOf<Row>(probe: Probe<Row>): SinkWriter<Row> {
  let received = 0
  const take = probe.row ?? (() => {})
  const writer: SinkWriter<Row> = {
    write: (row) => {
      received++
      take(row)
    },
    get full() {
      return probe.full?.() ?? false
    },
    flush: () => probe.flush?.() ?? Promise.resolve(),
    prepare: (epoch) => {
      probe.barrier?.(epoch)
      // Not empty: an epoch without prepared output need not be committed.
      return Promise.resolve(new Uint8Array([1]))
    },
    commit: (epoch) => {
      probe.commit?.(epoch)
      return Promise.resolve()
    },
    recover: () => Promise.resolve(),
    counts: () => ({ received, skipped: 0, deadLettered: 0 }),
    close: () => Promise.resolve(),
  }
  return writer
}
