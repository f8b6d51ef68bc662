/**
 * The canonical text form: one line per event, fields separated by a tab, LF at the end, ASCII. It
 * exists to be hashed: equal hashes prove that two generators in two languages make the same data.
 */
import type { Dataset } from './dataset.ts'
import type { NexmarkEvent } from './event.ts'
import { EventGenerator } from './generator.ts'

export interface TextOptions {
  /** Leave the fields `channel` and `url` out, which Beam's generator does not have. */
  readonly withoutChannel?: boolean
}

/** One line with its LF. `number` is the adjusted event number within generator `generator`. */
export function canonicalLine(
  event: NexmarkEvent,
  generator: number,
  number: number,
  options: TextOptions = {},
): string {
  switch (event.type) {
    case 'person': {
      const card = `${event.creditCard}\t${event.city}\t${event.state}\t${event.extra}`
      return `P\t${generator}\t${number}\t${event.dateTime}\t${event.id}\t${event.name}\t${event.emailAddress}\t${card}\n`
    }
    case 'auction': {
      const terms = `${event.initialBid}\t${event.reserve}\t${event.expires}\t${event.seller}\t${event.category}`
      const item = `${event.itemName}\t${event.description}`
      return `A\t${generator}\t${number}\t${event.dateTime}\t${event.id}\t${item}\t${terms}\t${event.extra}\n`
    }
    case 'bid': {
      const channel = options.withoutChannel ? '' : `${event.channel}\t${event.url}\t`
      const bid = `${event.auction}\t${event.bidder}\t${event.price}`
      return `B\t${generator}\t${number}\t${event.dateTime}\t${bid}\t${channel}${event.extra}\n`
    }
  }
}

/** The JSON form of one event with its LF. */
export function jsonLine(event: NexmarkEvent): string {
  return `${JSON.stringify(event)}\n`
}

export interface CanonicalEvent {
  readonly event: NexmarkEvent
  readonly generator: number
  /** The adjusted event number within the generator. */
  readonly number: number
}

/**
 * Every event in canonical order: generator by generator, ascending event number whatever the
 * disorder of the set.
 */
export function* canonicalEvents(dataset: Dataset): Generator<CanonicalEvent, void, void> {
  const { disorder } = dataset
  for (let g = 0; g < dataset.generators; g++) {
    const generator = new EventGenerator(dataset, g)
    // Disorder permutes within a group, so sorting each group by number sorts the whole.
    for (let start = 0; start < generator.count; start += disorder) {
      const end = Math.min(start + disorder, generator.count)
      const group: CanonicalEvent[] = []
      for (let index = start; index < end; index++) {
        group.push({
          event: generator.event(index),
          generator: g,
          number: generator.adjusted(index),
        })
      }
      if (disorder > 1) group.sort((a, b) => a.number - b.number)
      yield* group
    }
  }
}
