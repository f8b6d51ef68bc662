/** One line of what users do, as a row. */
import {
  field,
  instant,
  int,
  type LocatedLine,
  type Rejected,
  struct,
  text,
  timestamp,
  type TypeOf,
} from 'tidemill'

export const behaviour = struct('behaviour', {
  userId: field(1, int),
  itemId: field(2, int),
  categoryId: field(3, int),
  behaviour: field(4, text),
  at: field(5, instant),
})

export type Behaviour = TypeOf<typeof behaviour>

/** 2000-01-01T00:00:00Z; what is older is a torn or mistyped number. */
const earliestSeconds = 946_684_800

/** The last second that a date can have. */
const latestSeconds = 8_640_000_000_000

/** Throws with the reason when the line is not `user,item,category,behaviour,seconds`. */
export function parseBehaviour({ text }: LocatedLine): Behaviour {
  const columns = text.split(',')
  const [user = '', item = '', category = '', what = '', time = ''] = columns
  if (columns.length !== 5) throw new Error(`${columns.length} columns instead of 5`)
  if (what === '') throw new Error('the behaviour is missing')
  const atSeconds = whole('time', time)
  if (atSeconds < earliestSeconds) throw new Error(`time ${atSeconds} lies before 2000-01-01`)
  if (atSeconds > latestSeconds) throw new Error(`time ${atSeconds} is no date`)
  return {
    userId: whole('user id', user),
    itemId: whole('item id', item),
    categoryId: whole('category id', category),
    behaviour: what,
    at: timestamp(atSeconds * 1000),
  }
}

/** A line that is no text, or far too long; its position is `FILE:LINE`. */
export function unreadable({ input, position, error }: Rejected<string | Uint8Array>) {
  const colon = position.lastIndexOf(':')
  return {
    file: position.slice(0, colon),
    line: Number(position.slice(colon + 1)),
    raw: typeof input === 'string' ? input : new TextDecoder().decode(input),
    reason: error.message,
  }
}

function whole(name: string, digits: string): number {
  const value = /^\d+$/.test(digits) ? Number(digits) : Number.NaN
  if (!Number.isSafeInteger(value))
    throw new Error(`${name} ${JSON.stringify(digits)} is not a whole number`)
  return value
}
