/**
 * What every holder of state gives to checkpoints: a freeze that costs (almost) nothing at the barrier, slices of
 * bytes between batches afterwards, and a restore from those bytes.
 */

/** A piece of one holder's state. Blocks of keyed state hold keys of one key group only, so that rescaling moves them. */
export interface SnapshotBlock {
  /** Which part of the holder's state; a name inside the holder, e.g. `values` or `pane`. */
  readonly section: string
  /** The key group of every key inside, or -1 when the block is not keyed. */
  readonly keyGroup: number
  /** Self-contained; at most a few MiB. Owned by the receiver until the next call of `next`. */
  readonly bytes: Uint8Array
}

/** A consistent picture of a holder's state at the moment of `freeze`, written out bit by bit. */
export interface FrozenState {
  /**
   * Serialises about `budgetBytes` more and returns them, or `undefined` when everything has been returned. Called
   * between batches: the holder keeps changing meanwhile, the picture does not.
   */
  next(budgetBytes: number): readonly SnapshotBlock[] | undefined
  /** The blocks of the pictures before count as well, from the last whole one on: only what has changed is in this one. */
  readonly changesOnly?: boolean
  /** Gives up; the holder drops what it kept for this picture. */
  abandon(): void
}

export interface StateHolder {
  /**
   * At most one picture at a time. `changesOnly`: all pictures since the last whole one, and it, are stored for good, so that
   * this one may leave out what the last one had and did not change; the holder decides.
   */
  freeze(changesOnly?: boolean): FrozenState
  /**
   * Adds one block of an earlier picture; called before the first record, in the order of writing, one writer after the
   * other. A picture of changes comes after those it builds on, all blocks of which come. Blocks that are not keyed come from all writers, since any of their keys may live here now.
   */
  restore(block: SnapshotBlock, from?: BlockOrigin): void
}

/** Who wrote a block. A rescaled job reads blocks of several subtasks. */
export interface BlockOrigin {
  /** Number of the subtask that wrote it. */
  readonly writer: number
  /** It was the subtask of the same number as the reader's. */
  readonly own: boolean
}

/** Key groups `first` (inclusive) to `end` (exclusive) out of `total`, a power of two. */
export interface KeyGroupRange {
  readonly first: number
  readonly end: number
  readonly total: number
}
