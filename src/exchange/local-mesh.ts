/**
 * Channels between subtasks that run in one thread: inline jobs, tests, the simulator. Same interface and bounds as the
 * channels between threads; when news is told is up to `later`, so a simulator decides the order of everything.
 */
import { assert } from '../base/assert.ts'
import type { MessageReader, MessageWriter, SubtaskLinks } from './contract.ts'
import { standingWords } from './standings.ts'
import type { Armed, Waker } from './ring.ts'

/** As a ring between threads; a single larger message still passes. */
const QUEUE_BYTES = 1 << 20

export interface LocalMeshOptions {
  readonly exchanges: number
  readonly subtasks: number
  /** Groups of sources that are kept together in event time. Default 0. */
  readonly groups?: number
  /** Bytes a channel holds before it is full. */
  readonly queueBytes?: number
  /** Runs a function once the caller has returned. */
  readonly later: (fn: () => void) => void
}

export interface LocalMesh {
  links(subtask: number): SubtaskLinks
}

export function createLocalMesh(options: LocalMeshOptions): LocalMesh {
  const { exchanges, subtasks, queueBytes = QUEUE_BYTES, later } = options
  const standings = standingWords(options.groups ?? 0, subtasks)
  const bells = Array.from({ length: subtasks }, () => new Bell(later))
  const queues = Array.from({ length: exchanges * subtasks * subtasks }, (_, at) => {
    const to = at % subtasks
    const from = Math.floor(at / subtasks) % subtasks
    return new Queue(queueBytes, bells[from]!, bells[to]!)
  })
  const queue = (exchange: number, from: number, to: number): Queue => {
    const inside =
      exchange < exchanges && from < subtasks && to < subtasks && Math.min(exchange, from, to) >= 0
    assert(inside, 'a channel is asked for that the mesh does not have', { exchange, from, to })
    return queues[(exchange * subtasks + from) * subtasks + to]!
  }
  return {
    links(subtask) {
      return {
        writer: (exchange, to) => queue(exchange, subtask, to),
        reader: (exchange, from) => queue(exchange, from, subtask),
        onNews: (callback) => bells[subtask]!.listen(callback),
        standings,
        close: () => bells[subtask]!.close(),
      }
    },
  }
}

/** A channel from a subtask to another one of its thread, or to itself. */
export class Queue implements MessageWriter, MessageReader {
  readonly size: number
  private readonly sender: Waker
  private readonly receiver: Waker
  private readonly own: Armed | undefined
  private messages: Uint8Array<ArrayBuffer>[]
  private next: number
  private bytes: number
  /** A write was refused since the last read. */
  private refused: boolean

  /** `own`: the bell of whoever holds both ends, if it must be armed. */
  constructor(size: number, sender: Waker, receiver: Waker, own?: Armed) {
    this.size = size
    this.sender = sender
    this.receiver = receiver
    this.own = own
    this.messages = []
    this.next = 0
    this.bytes = 0
    this.refused = false
  }

  get fill(): number {
    return Math.min(1, this.bytes / this.size)
  }

  write(message: Uint8Array): boolean {
    if (this.bytes > 0 && this.bytes + message.length > this.size) {
      this.refused = true
      this.own?.arm()
      return false
    }
    // `set` and not `slice`: a Buffer's slice shares its memory.
    const copy = new Uint8Array(message.length)
    copy.set(message)
    this.messages.push(copy)
    this.bytes += copy.length
    this.receiver.ring()
    return true
  }

  read(): Uint8Array<ArrayBuffer> | undefined {
    const message = this.messages[this.next]
    if (message === undefined) {
      this.own?.arm()
      return undefined
    }
    this.next++
    this.bytes -= message.length
    if (this.next === this.messages.length) {
      this.messages = []
      this.next = 0
    }
    if (this.refused) {
      this.refused = false
      this.sender.ring()
    }
    return message
  }
}

/** Tells one subtask that there is news: once, however much there is. */
class Bell implements Waker {
  private readonly later: (fn: () => void) => void
  private callback: (() => void) | undefined
  private rung: boolean
  private scheduled: boolean
  private closed: boolean

  constructor(later: (fn: () => void) => void) {
    this.later = later
    this.callback = undefined
    this.rung = false
    this.scheduled = false
    this.closed = false
  }

  listen(callback: () => void): void {
    this.callback = callback
    if (this.rung) this.schedule()
  }

  ring(): void {
    this.rung = true
    this.schedule()
  }

  close(): void {
    this.closed = true
    this.callback = undefined
  }

  private schedule(): void {
    if (this.scheduled || this.closed || this.callback === undefined) return
    this.scheduled = true
    this.later(() => {
      this.scheduled = false
      if (this.callback === undefined) return
      this.rung = false
      this.callback()
    })
  }
}
