/** The public types of the event log. */

/**
 * When an append counts as done. `sync`: after `fdatasync`, survives a power cut (the default). `process`: after the
 * write, survives the end of the process; synced at least every second. `none`: after the write, synced only when a
 * segment is full, a transaction is prepared or the writer closes.
 */
export type Durability = 'sync' | 'process' | 'none'

export interface Retention {
  /** Segments whose newest record was appended longer ago than this are removed. Default: kept for ever. */
  readonly ageMs?: number
  /** The oldest segments are removed while a partition holds more bytes than this. Default: unlimited. */
  readonly bytes?: number
}

export interface TopicOptions {
  /** Default 1, at most 4096. Fixed for the life of the topic. */
  readonly partitions?: number
  readonly durability?: Durability
  readonly retention?: Retention
  /** Keeps only the newest record of every key; needs keyed records. Default false. */
  readonly compaction?: boolean
  /** How long a record without value (a deletion) is kept by compaction. Default one day. */
  readonly tombstoneMs?: number
  /** Size at which a new segment begins. Default 64 MiB, 4 KiB to 1 GiB. */
  readonly segmentBytes?: number
}

/** A topic as it is stored. */
export interface TopicInfo {
  readonly name: string
  /** 32 hexadecimal digits, different for every topic ever created, also of the same name. */
  readonly id: string
  readonly partitions: number
  readonly durability: Durability
  readonly retention: Retention
  readonly compaction: boolean
  readonly tombstoneMs: number
  readonly segmentBytes: number
  readonly createdMs: number
}

export interface PartitionInfo {
  readonly partition: number
  /** The first offset that can be read. */
  readonly startOffset: number
  /** One past the last record that readers with isolation `uncommitted` may see. */
  readonly endOffset: number
  /** One past the last record that readers with isolation `committed` may see, when all before it is decided. */
  readonly stableOffset: number
  readonly segments: number
  readonly bytes: number
  readonly generation: number
  /** The last writer ended in order, or there never was one. A running writer counts as not clean. */
  readonly clean: boolean
}

export interface TopicDescription extends TopicInfo {
  readonly partitionInfo: readonly PartitionInfo[]
}

/** `records`: the layout of `records.ts`. `frame`: bytes of a columnar frame, opaque to the log. */
export type PayloadKind = 'records' | 'frame'

export interface TransactionId {
  readonly producerId: number
  readonly epoch: number
}

/** What a caller appends. The log copies the payload before `append` returns. */
export interface AppendBatch {
  readonly kind: PayloadKind
  readonly payload: Uint8Array
  readonly recordCount: number
  /** Event times in milliseconds; the append time stands in when they are absent. */
  readonly minTimestamp?: number
  readonly maxTimestamp?: number
  /** 64 bits, 0n for none. */
  readonly schemaFingerprint?: bigint
  readonly transaction?: TransactionId
}

export interface Appended {
  /** Offset of the first record; the batch covers `recordCount` offsets. */
  readonly baseOffset: number
}

/** A batch read back and verified. `payload` is a view: see {@link ReaderOptions.reuse}. */
export interface LogBatch {
  readonly kind: PayloadKind
  readonly baseOffset: number
  /** One past the last offset of the batch. */
  readonly nextOffset: number
  readonly recordCount: number
  /** Offsets at the front of the batch that lie before the position the reader was opened at. */
  readonly skip: number
  readonly payload: Uint8Array
  readonly minTimestamp: number
  readonly maxTimestamp: number
  /** Wall clock at the append; never goes back within a partition. */
  readonly appendTime: number
  readonly generation: number
  /** 0n when the producer declared none. */
  readonly schemaFingerprint: bigint
  /** Absent for batches outside a transaction. */
  readonly transaction: TransactionId | undefined
}

export type Isolation = 'committed' | 'uncommitted'

export interface ReaderOptions {
  /** Default `earliest`. `latest` is the end for the chosen isolation. */
  readonly from?: number | 'earliest' | 'latest'
  readonly isolation?: Isolation
  /** What to do when retention removed records that were to be read. Default `fail` (TM1208). */
  readonly onGap?: 'fail' | 'skip'
  /** Bytes per disk read, and the most that one `read` returns with `reuse`. Default 1 MiB. */
  readonly chunkBytes?: number
  /** True: payload views are valid only until the next `read`, which saves an allocation per chunk. Default false. */
  readonly reuse?: boolean
  /** How often `follow` looks for news of a writer in another process. Default 10 ms. */
  readonly pollMs?: number
}

/** A range of offsets that a reader with `onGap: 'skip'` did not get. */
export interface Gap {
  readonly from: number
  readonly to: number
}

export type TransactionOutcome = 'committed' | 'aborted' | 'prepared' | 'open' | 'unknown'

export interface OpenTransaction extends TransactionId {
  readonly prepared: boolean
  /** Absent while nothing was appended. */
  readonly firstOffset: number | undefined
}

/** What opening a writer found and did. */
export interface RecoveryReport {
  readonly generation: number
  /** The writer before this one closed in order. */
  readonly clean: boolean
  readonly durableMark: number
  readonly endOffset: number
  readonly copiedBatches: number
  readonly copiedBytes: number
  /** A torn tail that was cut off: every cut is reported here and in the host's log. */
  readonly cut: RecoveryCut | undefined
  /** Files that had no meaning any more and were removed. */
  readonly removed: readonly string[]
  /** Index files that were missing or damaged and were made again. */
  readonly rebuilt: readonly string[]
}

export interface RecoveryCut {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  /** Whole batches among the bytes cut, beside the broken one. */
  readonly batches: number
  readonly reason: string
}

export interface VerifyProblem {
  /** `damage`: data is affected. `note`: harmless, for instance a left-over temporary file. */
  readonly severity: 'damage' | 'note'
  readonly file: string
  readonly offset: number
  readonly message: string
}

export interface VerifyReport {
  readonly topic: string
  readonly files: number
  readonly bytes: number
  readonly batches: number
  readonly records: number
  /** No damage; notes may exist. */
  readonly intact: boolean
  readonly problems: readonly VerifyProblem[]
}
