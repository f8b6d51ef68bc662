/**
 * Channels between threads: a ring in shared memory for each exchange and pair of subtasks, and a bell for each subtask.
 *
 * A bell is one word: 1 while its owner waits. The owner raises it when a read finds nothing or a write finds no room,
 * looks again, and leaves the rest to `Atomics.waitAsync`; whoever has news for it takes the word back to 0 and notifies.
 * So a notify happens only when somebody waits, and a subtask that is busy is never called.
 *
 *   quiet ──arm──▶ waiting (word 1, one waiter) ──ring──▶ told (word 0) ──callback──▶ quiet
 *
 * Waiting here does not keep a process alive: a thread that waits for nothing else must hold a referenced port or timer.
 */
import { assert } from '../base/assert.ts'
import type { SubtaskLinks } from './contract.ts'
import { Queue } from './local-mesh.ts'
import { standingWords } from './standings.ts'
import { CONTROL_BYTES, RingReader, RingWriter, type Waker } from './ring.ts'

/** Shared memory and numbers only: it can be posted to a thread. */
export interface MeshMemory {
  readonly exchanges: number
  readonly subtasks: number
  readonly ringBytes: number
  /** One cache line per subtask. */
  readonly bells: SharedArrayBuffer
  /** All rings, in the order of exchange, sender, receiver. */
  readonly rings: SharedArrayBuffer
  readonly standings: BigInt64Array<SharedArrayBuffer>
}

export interface MeshOptions {
  readonly exchanges: number
  readonly subtasks: number
  /** Groups of sources that are kept together in event time. Default 0. */
  readonly groups?: number
  /** Bytes of a ring, a power of two. Default 1 MiB, less when there are many rings. */
  readonly ringBytes?: number
}

const RING_BYTES = 1 << 20
/** Two frames of 64 KiB with their keys and times. Longer messages pass in pieces. */
const RING_BYTES_MIN = 1 << 18
/** All rings together stay below this as long as none gets smaller than the minimum. */
const MESH_BYTES_MAX = 1 << 26
const BELL_WORDS = 16

export function createMeshMemory(options: MeshOptions): MeshMemory {
  const { exchanges, subtasks } = options
  const count = exchanges * subtasks * subtasks
  let ringBytes = options.ringBytes ?? RING_BYTES
  if (options.ringBytes === undefined)
    while (ringBytes > RING_BYTES_MIN && count * ringBytes > MESH_BYTES_MAX) ringBytes >>>= 1
  return {
    exchanges,
    subtasks,
    ringBytes,
    bells: new SharedArrayBuffer(subtasks * BELL_WORDS * 4),
    rings: new SharedArrayBuffer(Math.max(8, count * (CONTROL_BYTES + ringBytes))),
    standings: standingWords(options.groups ?? 0, subtasks),
  }
}

/** The channels of one subtask; open them once, in the thread that runs it. */
export function openMesh(memory: MeshMemory, subtask: number): SubtaskLinks {
  const { exchanges, subtasks, ringBytes, rings } = memory
  const words = new Int32Array(memory.bells)
  const own = new Bell(words, subtask)
  const peers = Array.from({ length: subtasks }, (_, i) =>
    i === subtask ? own : new PeerBell(words, i),
  )
  const offsetOf = (exchange: number, from: number, to: number): number =>
    ((exchange * subtasks + from) * subtasks + to) * (CONTROL_BYTES + ringBytes)
  const writers: (RingWriter | Queue)[] = []
  const readers: (RingReader | Queue)[] = []
  for (let exchange = 0; exchange < exchanges; exchange++) {
    for (let peer = 0; peer < subtasks; peer++) {
      if (peer === subtask) {
        const queue = new Queue(ringBytes, own, own, own)
        writers.push(queue)
        readers.push(queue)
        continue
      }
      const bell = peers[peer]!
      const out = offsetOf(exchange, subtask, peer)
      writers.push(new RingWriter(rings, out, ringBytes, bell, own))
      readers.push(new RingReader(rings, offsetOf(exchange, peer, subtask), ringBytes, bell, own))
    }
  }
  own.beforeNews = () => {
    for (const writer of writers) if (writer instanceof RingWriter) writer.pump()
  }
  const place = (exchange: number, peer: number): number => {
    const inside = exchange < exchanges && peer < subtasks && exchange >= 0 && peer >= 0
    assert(inside, 'a channel is asked for that the mesh does not have', { exchange, peer })
    return exchange * subtasks + peer
  }
  return {
    writer: (exchange, to) => writers[place(exchange, to)]!,
    reader: (exchange, from) => readers[place(exchange, from)]!,
    onNews: (callback) => own.listen(callback),
    standings: memory.standings,
    close: () => own.close(),
  }
}

class PeerBell implements Waker {
  protected readonly words: Int32Array<SharedArrayBuffer>
  protected readonly at: number

  constructor(words: Int32Array<SharedArrayBuffer>, subtask: number) {
    this.words = words
    this.at = subtask * BELL_WORDS
  }

  ring(): void {
    const { words, at } = this
    if (Atomics.load(words, at) === 0) return
    // Of several peers with news one wakes it.
    if (Atomics.compareExchange(words, at, 1, 0) === 1) Atomics.notify(words, at)
  }
}

class Bell extends PeerBell {
  /** Runs before each callback. */
  beforeNews: () => void
  private callback: (() => void) | undefined
  private armed: boolean
  private closed: boolean
  /** There was news, and nobody to tell. */
  private missed: boolean

  constructor(words: Int32Array<SharedArrayBuffer>, subtask: number) {
    super(words, subtask)
    this.beforeNews = () => {}
    this.callback = undefined
    this.armed = false
    this.closed = false
    this.missed = true
  }

  /** From now on news is told, once. */
  arm(): void {
    if (this.armed || this.closed) return
    this.armed = true
    Atomics.store(this.words, this.at, 1)
    const waiting = Atomics.waitAsync(this.words, this.at, 1)
    const told = (): void => this.tell()
    // Not a promise when a peer was faster than the wait.
    void (waiting.async ? waiting.value : Promise.resolve()).then(told)
  }

  listen(callback: () => void): void {
    this.callback = callback
    if (!this.missed) return
    this.missed = false
    void Promise.resolve().then(() => this.tellOnce())
  }

  close(): void {
    this.closed = true
    this.callback = undefined
    this.ring()
  }

  private tell(): void {
    this.armed = false
    this.tellOnce()
  }

  private tellOnce(): void {
    if (this.closed) return
    this.beforeNews()
    if (this.callback === undefined) this.missed = true
    else this.callback()
  }
}
