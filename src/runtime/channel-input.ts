/** The receiving end of one channel: messages of one exchange from one subtask, in order. */
import type { Message, MessageReader } from '../exchange/contract.ts'
import { MessageDecoder } from '../exchange/decode.ts'
import type { ExchangeEdge } from './stages.ts'

export class ChannelInput {
  readonly edge: ExchangeEdge
  readonly from: number
  /** Name of the channel among those of its exchange. */
  readonly channel: string
  /** A barrier of this epoch has come: nothing is read before the other channels of the stage have brought it too. */
  behind: number | undefined
  /** The sender's input is used up. */
  ended = false
  rows = 0
  /** Nothing could be read since then. */
  quietSinceMs: number | undefined
  /** The first message has come: it says from where the sender's event time starts, or that the sender has no input. */
  heard = false
  #first: Message | undefined
  readonly #reader: MessageReader
  readonly #decoder = new MessageDecoder()

  constructor(edge: ExchangeEdge, from: number, reader: MessageReader) {
    this.edge = edge
    this.from = from
    this.channel = `subtask-${from}`
    this.#reader = reader
  }

  /** Looks for the first message, which `next` gives later unless it was taken. */
  listen(): boolean {
    if (this.heard) return true
    this.#first = this.next()
    this.heard = this.#first !== undefined
    return this.heard
  }

  /** The first message, when it only tells of time. */
  takeGreeting(): Message | undefined {
    const first = this.#first
    if (first === undefined || first.kind === 'rows' || first.kind === 'barrier') return undefined
    this.#first = undefined
    return first
  }

  /** The next message, unless a barrier holds the channel. */
  next(): Message | undefined {
    if (this.behind !== undefined) return undefined
    const first = this.#first
    if (first !== undefined) {
      this.#first = undefined
      return first
    }
    const bytes = this.#reader.read()
    return bytes === undefined ? undefined : this.#decoder.decode(bytes)
  }

  /** Something can be read. */
  get ready(): boolean {
    return this.behind === undefined && (this.#first !== undefined || this.#reader.fill > 0)
  }

  /** How full the way to this end is, 0 to 1. */
  get fill(): number {
    return this.#reader.fill
  }
}
