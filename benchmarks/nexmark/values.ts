/**
 * The value functions of the generator. Each draws from the `JavaRandom` of the current event in an
 * order that is part of the data: one draw more or less changes every later field of that event.
 *
 * Characters are collected in one scratch buffer and become one flat string at the end, since a
 * concatenation per character would leave chains of string pieces behind for every row.
 */
import { lastAuction, lastPerson } from './dataset.ts'
import { JavaRandom } from './random.ts'

/**
 * The single-purpose decoder of Node's Buffer: two thirds of the time of
 * `toString('latin1')` on 50 to 80 characters.
 */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string
}

const SPACE = 0x20
const UNDERSCORE = 0x5f
const LETTER_A = 97
const CHARACTERS_PER_DRAW = 6
const AUCTION_LOOKBACK = 100
const PERSON_LOOKBACK = 1000
/** How many ids ahead of the newest one a reference may point. */
const ID_LEAD = 10

// The longest string is an auction's `extra` of fewer than 700 characters, plus one draw of
// overrun.
// `as`: the two decoding methods exist on every Buffer of Node, its type declarations leave them
// out.
const scratch = Buffer.alloc(1024) as Latin1Buffer

/** Three characters packed per value of `v rem 26^3`, which runs from -17575 to 17575. */
const TRIPLE = 26 * 26 * 26
const triples: Int32Array = makeTriples()

/** Log-uniform between 100 and 100,000,000 cents. */
export function drawPrice(random: JavaRandom): number {
  return Math.round(10 ** (random.double() * 6) * 100) | 0
}

/** Letters with a blank at one place in thirteen; spaces at both ends are trimmed. */
export function drawString(random: JavaRandom, lengthMax: number, blank: number = SPACE): string {
  const length = 3 + random.int(lengthMax - 3)
  let start = 0
  let end = 0
  for (; end < length; end++) {
    scratch[end] = random.int(13) === 0 ? blank : LETTER_A + random.int(26)
  }
  while (start < end && scratch[start] === SPACE) start++
  while (end > start && scratch[end - 1] === SPACE) end--
  return scratch.latin1Slice(start, end)
}

/**
 * Padding that brings a row of `current` bytes to about `average`; empty and without a draw if it
 * is longer already.
 */
export function drawExtra(random: JavaRandom, current: number, average: number): string {
  if (current > average) return ''
  const size = drawExtraSize(random, current, average)
  for (let at = 0; at < size; at += CHARACTERS_PER_DRAW) {
    const draw = random.int32()
    // Two triples: truncating division distributes over the six divisions by 26 of the definition.
    const quotient = (draw / TRIPLE) | 0
    const first = triples[draw - quotient * TRIPLE + TRIPLE - 1]!
    const second = triples[(quotient % TRIPLE) + TRIPLE - 1]!
    scratch[at] = first
    scratch[at + 1] = first >>> 8
    scratch[at + 2] = first >>> 16
    scratch[at + 3] = second
    scratch[at + 4] = second >>> 8
    scratch[at + 5] = second >>> 16
  }
  return scratch.latin1Slice(0, size)
}

/** Leaves the random where `drawExtra` would, without making the string. */
export function skipExtra(random: JavaRandom, current: number, average: number): void {
  if (current > average) return
  random.skip(Math.ceil(drawExtraSize(random, current, average) / CHARACTERS_PER_DRAW))
}

/** A person number near the newest one. */
export function drawPerson(random: JavaRandom, eventId: number): number {
  const count = lastPerson(eventId) + 1
  const active = Math.min(count, PERSON_LOOKBACK)
  return count - active + random.int(active + ID_LEAD)
}

/** An auction number near the newest one. */
export function drawAuction(random: JavaRandom, eventId: number): number {
  const newest = lastAuction(eventId)
  const oldest = Math.max(newest - AUCTION_LOOKBACK, 0)
  return oldest + random.int(newest - oldest + 1 + ID_LEAD)
}

/**
 * The same text as one flat string; concatenations are chains of pieces that cost memory and time
 * when read.
 */
export function flatten(text: string): string {
  return scratch.latin1Slice(0, scratch.write(text, 0, 'latin1'))
}

export const HOT_CHANNELS: readonly string[] = ['Google', 'Facebook', 'Baidu', 'Apple']
export const CHANNEL_COUNT = 10_000
/** `channel-0` .. `channel-9999`. */
export const COLD_CHANNELS: readonly string[] = makeColdChannels()
export const HOT_URLS: readonly string[] = HOT_CHANNELS.map((_, hot) => hotUrl(hot))
/** The url of each cold channel. */
export const COLD_URLS: readonly string[] = COLD_CHANNELS.map((_, channel) => coldUrl(channel))

function drawExtraSize(random: JavaRandom, current: number, average: number): number {
  const missing = average - current
  const delta = Math.round(0.2 * missing)
  return missing - delta + (delta === 0 ? 0 : random.int(2 * delta))
}

function drawBaseUrl(random: JavaRandom): string {
  const first = drawString(random, 5, UNDERSCORE)
  const second = drawString(random, 5, UNDERSCORE)
  const third = drawString(random, 5, UNDERSCORE)
  return `https://www.nexmark.com/${first}/${second}/${third}/item.htm?query=1`
}

function hotUrl(hot: number): string {
  const random = new JavaRandom()
  random.seed(CHANNEL_COUNT + hot)
  return flatten(drawBaseUrl(random))
}

function coldUrl(channel: number): string {
  const random = new JavaRandom()
  random.seed(channel)
  const url = drawBaseUrl(random)
  if (random.int(10) === 0) return flatten(url)
  return flatten(`${url}&channel_id=${Math.abs(reverseBits(channel))}`)
}

function reverseBits(value: number): number {
  let reversed = 0
  for (let bit = 0; bit < 32; bit++) reversed |= ((value >>> bit) & 1) << (31 - bit)
  return reversed
}

function makeColdChannels(): string[] {
  const channels: string[] = []
  for (let channel = 0; channel < CHANNEL_COUNT; channel++)
    channels.push(flatten(`channel-${channel}`))
  return channels
}

function makeTriples(): Int32Array {
  const packed = new Int32Array(2 * TRIPLE - 1)
  for (let value = 1 - TRIPLE; value < TRIPLE; value++) {
    const first = LETTER_A + (value % 26)
    const second = LETTER_A + (Math.trunc(value / 26) % 26)
    const third = LETTER_A + (Math.trunc(value / 676) % 26)
    packed[value + TRIPLE - 1] = first | (second << 8) | (third << 16)
  }
  return packed
}
