/** Turns what a caller appends into header fields; refuses with TM1203 or TM1218 before anything is queued. */
import { TidemillError } from '../base/errors.ts'
import { logErrors } from './errors.ts'
import {
  batchBytesMax,
  batchLength,
  payloadKindFrame,
  payloadKindNone,
  payloadKindRecords,
} from './format.ts'
import type { BatchFields } from './gather.ts'
import { decodeRecords } from './records.ts'
import type { AppendBatch, TopicInfo, TransactionId } from './types.ts'

const nothing = new Uint8Array(0)

export function checkAppend(batch: AppendBatch, topic: TopicInfo): BatchFields {
  const { kind, payload, recordCount, minTimestamp, maxTimestamp, transaction } = batch
  if (!Number.isInteger(recordCount) || recordCount < 1 || recordCount > 0xffff_ffff) {
    throw invalid(`a record count of ${recordCount}; it must be a whole number from 1 to 2^32 - 1`)
  }
  if (batchLength(payload.length) > batchBytesMax) {
    throw invalid(
      `${payload.length} bytes; a batch holds at most ${batchBytesMax} bytes with its header`,
    )
  }
  if ((minTimestamp === undefined) !== (maxTimestamp === undefined)) {
    throw invalid('only one of minTimestamp and maxTimestamp; give both or none')
  }
  if (minTimestamp !== undefined && maxTimestamp !== undefined) {
    const ordered =
      Number.isFinite(minTimestamp) && Number.isFinite(maxTimestamp) && minTimestamp <= maxTimestamp
    if (!ordered)
      throw invalid(
        `timestamps ${minTimestamp} to ${maxTimestamp}; both must be finite and in order`,
      )
  }
  if (topic.compaction) requireKeys(batch)
  return {
    kind: 0,
    payloadKind: kind === 'records' ? payloadKindRecords : payloadKindFrame,
    payload,
    recordCount,
    minTimestamp: minTimestamp ?? Number.NaN,
    maxTimestamp: maxTimestamp ?? Number.NaN,
    fingerprint: batch.schemaFingerprint ?? 0n,
    producerId: transaction === undefined ? -1 : transaction.producerId,
    epoch: transaction === undefined ? -1 : transaction.epoch,
  }
}

/** A marker of a transaction. It takes one offset, so that every batch has a place of its own. */
export function controlBatch(kind: number, id: TransactionId): BatchFields {
  return {
    kind,
    payloadKind: payloadKindNone,
    payload: nothing,
    recordCount: 0,
    minTimestamp: Number.NaN,
    maxTimestamp: Number.NaN,
    fingerprint: 0n,
    producerId: id.producerId,
    epoch: id.epoch,
  }
}

function requireKeys(batch: AppendBatch): void {
  if (batch.kind !== 'records') {
    throw new TidemillError(logErrors.keyMissing, { message: 'the batch is a frame' })
  }
  const records = decodeRecords(batch.payload, batch.recordCount, 0, batch.minTimestamp ?? 0)
  const missing = records.findIndex((record) => record.key === null)
  if (missing >= 0) {
    throw new TidemillError(logErrors.keyMissing, {
      message: `record ${missing} of the batch has none`,
    })
  }
}

function invalid(message: string): TidemillError {
  return new TidemillError(logErrors.batchInvalid, { message })
}
