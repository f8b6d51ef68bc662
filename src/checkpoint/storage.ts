/**
 * Where snapshots live: a flat set of objects under names that are written once. A directory today, an object store
 * later; both promise the same four things.
 *
 * 1. An object is absent or whole: a writer that dies leaves nothing under the final name.
 * 2. When `finish` or `publish` resolves, the object survives a power cut.
 * 3. Two publishers of one name: exactly one gets `true`, and the content is the winner's.
 * 4. When `delete` resolves, the objects stay away after a power cut.
 */

/** The stages an object passes; a caller hooks them to place its crash points. */
export type PublishStep =
  /** All bytes are in a temporary object. */
  | 'written'
  /** The temporary object survives a power cut. */
  | 'synced'
  /** The final name exists. */
  | 'published'
  /** The final name survives a power cut. */
  | 'durable'

export interface PutOptions {
  readonly onStep?: (step: PublishStep) => void
}

export interface CheckpointStorage {
  /** For messages: the directory's path. */
  readonly location: string
  /** Starts a new object. Nothing is visible before `finish` resolves. */
  put(name: string, options?: PutOptions): Promise<ObjectWriter>
  /** Publishes a small object if its name is absent; `false`, and no change, when it exists. */
  publish(name: string, bytes: Uint8Array, options?: PutOptions): Promise<boolean>
  /** `undefined` when there is no such object. */
  get(name: string): Promise<ObjectReader | undefined>
  /** All names, leftovers of dead writers included, sorted by code unit. */
  list(): Promise<readonly string[]>
  /** Removes objects and leftovers; absent ones are no error. */
  delete(names: readonly string[]): Promise<void>
}

/**
 * Appends to an object that is not visible yet. Calls must not overlap. After a rejection the writer is poisoned:
 * every later call but `abort` rejects with the same error, because what reached the medium is unknown.
 */
export interface ObjectWriter {
  readonly sizeBytes: number
  write(bytes: Uint8Array): Promise<void>
  /** Makes the object durable and visible. Rejects with TM1512 when the name exists. */
  finish(): Promise<void>
  /** Removes what was written. Never rejects for a storage error. */
  abort(): Promise<void>
}

export interface ObjectReader {
  readonly sizeBytes: number
  /** Reads up to `target.length` bytes; fewer only at the end of the object. */
  read(target: Uint8Array, position: number): Promise<number>
  close(): Promise<void>
}

/**
 * A failure of the storage whose effect on a name is unknown: the object may be visible or not, now or after a power
 * cut. Only a recovery, which looks, may decide. Other failures left nothing under the final name.
 */
export class PublishOutcomeUnknown extends Error {
  constructor(name: string, cause: unknown) {
    super(`the outcome of publishing ${name} is unknown`, { cause })
    this.name = 'PublishOutcomeUnknown'
  }
}
