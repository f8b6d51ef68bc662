/**
 * The snapshot that the golden files of every format version hold, and the helpers of the tests around it. The files
 * in `v1/` were written once and are never written again; a new format gets a folder of its own.
 */
import { createBufferPool } from '../../../src/checkpoint/buffer-pool.ts'
import { createDataObjectWriter, type ObjectRef } from '../../../src/checkpoint/data-writer.ts'
import { emptyLedger, type Ledger } from '../../../src/checkpoint/ledger.ts'
import type { Manifest } from '../../../src/checkpoint/manifest.ts'
import type { CheckpointStorage } from '../../../src/checkpoint/storage.ts'
import type { SnapshotBlock } from '../../../src/state/contract.ts'

export const sampleIdentity = { job: 'clicks', generation: 7, epoch: 418, subtask: 0 } as const

export interface SampleBlock extends SnapshotBlock {
  readonly operator: string
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export const sampleBlocks: readonly SampleBlock[] = [
  { operator: 'totals', section: 'values', keyGroup: 0, bytes: text('a=1') },
  { operator: 'totals', section: 'values', keyGroup: 3, bytes: text('b=2,c=3') },
  { operator: 'totals', section: 'timers', keyGroup: 3, bytes: text('at=17') },
  { operator: 'größe', section: 'pane', keyGroup: -1, bytes: new Uint8Array(0) },
  { operator: 'totals', section: 'values', keyGroup: 127, bytes: Uint8Array.from({ length: 40 }, (_, i) => (i * 37) & 255) },
]

export const sampleLedger: Ledger = {
  sources: [{ name: 'clicks', read: 12, emitted: 10, skipped: 1, deadLettered: 0, rejected: 1 }],
  operators: [
    { name: 'totals', received: 10, accepted: 7, late: 3, lateTaken: 1, lateDropped: 2, skipped: 0, deadLettered: 0, rejected: 0 },
  ],
  edges: [{ name: 'clicks > totals', sent: 10, received: 10, inFlightBefore: 0, inFlightAfter: 0 }],
  buffers: [{ name: 'totals.pane', before: 0, added: 7, released: 4, expired: 1, after: 2 }],
  sinks: [{ name: 'report', received: 4, published: 4, skipped: 0, deadLettered: 0 }],
}

export function sampleManifest(object: ObjectRef | undefined, changes: Partial<Manifest> = {}): Manifest {
  return {
    generation: 7,
    epoch: 418,
    job: 'clicks',
    kind: 'checkpoint',
    finished: false,
    plan: { fingerprint: '0123456789abcdef', json: '{"nodes":[{"id":0,"kind":"source","name":"clicks"}]}' },
    parameters: { input: 'a.csv', größe: 'ß', ['__proto__']: 'kept' },
    maxParallelism: 128,
    parallelism: 1,
    subtasks: [
      {
        subtask: 0,
        object,
        positions: [
          { source: 'clicks', partition: 'a.csv', position: Uint8Array.of(0, 255, 128) },
          { source: 'clicks', partition: 'b.csv', position: new Uint8Array(0) },
        ],
        watermarks: [{ node: 1, partition: 'a.csv', watermarkMs: -8_640_000_000_000_001 }],
        sinks: [
          { sink: 'report', epoch: 417, prepared: text('part-417') },
          { sink: 'report', epoch: 418, prepared: text('part-418') },
        ],
        random: Uint8Array.of(1, 2, 3, 4),
      },
    ],
    schemas: [{ name: 'totals.values', hash: 'fedcba9876543210', json: '{"kind":"int"}' }],
    ledger: { total: sampleLedger, epoch: emptyLedger },
    createdMs: 1_767_225_600_000,
    bootId: 'boot-1',
    versions: { tidemill: '0.1.0' },
    ...changes,
  }
}

/** Writes the data object of the sample. */
export async function writeSample(storage: CheckpointStorage, blocks: readonly SampleBlock[] = sampleBlocks): Promise<ObjectRef> {
  const host = { crashPoint: () => {} }
  const writer = await createDataObjectWriter({ host, storage, identity: sampleIdentity, pool: createBufferPool(2, 64) })
  for (const { operator, ...block } of blocks) {
    if (writer.full) await writer.drain()
    writer.append(operator, block)
  }
  return writer.finish()
}
