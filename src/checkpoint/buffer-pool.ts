/**
 * Write buffers that live as long as the process. Fresh buffers of some MiB per checkpoint showed up as pauses of
 * 20-48 ms, so a subtask keeps one pool and hands it to every writer.
 */
import { assert } from '../base/assert.ts'

export interface BufferPool {
  readonly bufferBytes: number
  /** How many buffers are handed out together without asking the host for memory. */
  readonly count: number
  take(): Uint8Array
  give(buffer: Uint8Array): void
}

/** `count` buffers of `bufferBytes`; the defaults (4 of 1 MiB) keep two writes in flight while two fill up. */
export function createBufferPool(count: number = 4, bufferBytes: number = 1 << 20): BufferPool {
  assert(count >= 2 && bufferBytes >= 64, 'a pool has two buffers of some size')
  const idle: Uint8Array[] = []
  return {
    bufferBytes,
    count,
    // Created when first needed: a job without state never pays for them.
    take: () => idle.pop() ?? new Uint8Array(bufferBytes),
    give(buffer) {
      if (idle.length < count) idle.push(buffer)
    },
  }
}
