/**
 * The ledger: what happened to every record, as counts that must add up. It is pure data; subtasks count, the
 * coordinator adds up and checks before it publishes an epoch. A ledger that does not balance means that records were
 * lost or doubled inside Tidemill, so the epoch is not committed.
 *
 *   source     read = emitted + skipped + deadLettered + rejected
 *   operator   received = accepted + late + skipped + deadLettered + rejected, late = lateTaken + lateDropped
 *   edge       sent + inFlightBefore = received + inFlightAfter
 *   buffer     before + added = released + expired + after
 *   sink       received = published + skipped + deadLettered
 *
 * A ledger covers a span of time: the whole life of the job, one life of the process, or one epoch. Spans add up with
 * `continueLedger` and come apart with `epochLedger`.
 */
import { compareText } from './order.ts'

export interface Ledger {
  readonly sources: readonly SourceEntry[]
  readonly operators: readonly OperatorEntry[]
  readonly edges: readonly EdgeEntry[]
  readonly buffers: readonly BufferEntry[]
  readonly sinks: readonly SinkEntry[]
}

export interface SourceEntry {
  readonly name: string
  /** Records taken from the outside, decodable or not. */
  readonly read: number
  readonly emitted: number
  readonly skipped: number
  readonly deadLettered: number
  /** Left by the output `rejected`. */
  readonly rejected: number
}

export interface OperatorEntry {
  readonly name: string
  readonly received: number
  readonly accepted: number
  readonly late: number
  readonly lateTaken: number
  readonly lateDropped: number
  readonly skipped: number
  readonly deadLettered: number
  readonly rejected: number
}

export interface EdgeEntry {
  /** `from > to`. */
  readonly name: string
  readonly sent: number
  readonly received: number
  readonly inFlightBefore: number
  /** 0 at an aligned barrier. */
  readonly inFlightAfter: number
}

export interface BufferEntry {
  /** `operator.buffer`. */
  readonly name: string
  readonly before: number
  readonly added: number
  readonly released: number
  readonly expired: number
  readonly after: number
}

export interface SinkEntry {
  readonly name: string
  readonly received: number
  /** Made durable by `prepare` of this span's epochs, or sent by a sink that is not transactional. */
  readonly published: number
  readonly skipped: number
  readonly deadLettered: number
}

export const emptyLedger: Ledger = Object.freeze({
  sources: [],
  operators: [],
  edges: [],
  buffers: [],
  sinks: [],
})

/** Flow counts grow over a span; the first of a level pair is taken at its start, the second at its end. */
interface Shape {
  readonly flows: readonly string[]
  readonly levels: readonly (readonly [before: string, after: string])[]
}

const shapes: Readonly<Record<keyof Ledger, Shape>> = {
  sources: { flows: ['read', 'emitted', 'skipped', 'deadLettered', 'rejected'], levels: [] },
  operators: {
    flows: [
      'received',
      'accepted',
      'late',
      'lateTaken',
      'lateDropped',
      'skipped',
      'deadLettered',
      'rejected',
    ],
    levels: [],
  },
  edges: { flows: ['sent', 'received'], levels: [['inFlightBefore', 'inFlightAfter']] },
  buffers: { flows: ['added', 'released', 'expired'], levels: [['before', 'after']] },
  sinks: { flows: ['received', 'published', 'skipped', 'deadLettered'], levels: [] },
}

export const ledgerParts = Object.freeze(Object.keys(shapes) as (keyof Ledger)[])

/** The names of the counts of one part, in their stored order. */
export function ledgerCounts(part: keyof Ledger): readonly string[] {
  const shape = shapes[part]
  return [...shape.flows, ...shape.levels.flat()]
}

type Counts = Readonly<Record<string, number>>
type Entry = { readonly name: string } & Counts

/** Entries seen as a table of numbers: the shapes above are the proof that every field but `name` is one. */
function entriesOf(ledger: Ledger, part: keyof Ledger): readonly Entry[] {
  return ledger[part] as unknown as readonly Entry[]
}

function build(make: (part: keyof Ledger) => readonly Entry[]): Ledger {
  const parts = ledgerParts.map((part) => {
    const sorted = [...make(part)].sort((a, b) => compareText(a.name, b.name))
    return [part, sorted] as const
  })
  return Object.fromEntries(parts) as unknown as Ledger
}

/** The ledgers of all subtasks over the same span, as one: entries of equal name are added. */
export function mergeLedgers(ledgers: readonly Ledger[]): Ledger {
  return build((part) => {
    const byName = new Map<string, Record<string, number>>()
    for (const ledger of ledgers) {
      for (const entry of entriesOf(ledger, part)) {
        const sum = byName.get(entry.name)
        if (sum === undefined) byName.set(entry.name, { ...entry })
        else
          for (const count of ledgerCounts(part))
            sum[count] = (sum[count] ?? 0) + (entry[count] ?? 0)
      }
    }
    return [...byName.values()] as unknown as Entry[]
  })
}

/** The span `before` followed by the span `next`. An entry that only one of them has is taken as it is. */
export function continueLedger(before: Ledger, next: Ledger): Ledger {
  return build((part) =>
    combine(entriesOf(before, part), entriesOf(next, part), part, (old, add) => {
      const entry: Record<string, number> = {}
      for (const flow of shapes[part].flows) entry[flow] = (old[flow] ?? 0) + (add[flow] ?? 0)
      for (const [first, last] of shapes[part].levels) {
        entry[first] = old[first] ?? 0
        entry[last] = add[last] ?? 0
      }
      return entry
    }),
  )
}

/** What happened between two ledgers that start at the same moment, `earlier` being the shorter span. */
export function epochLedger(earlier: Ledger, later: Ledger): Ledger {
  return build((part) =>
    combine(entriesOf(earlier, part), entriesOf(later, part), part, (old, all) => {
      const entry: Record<string, number> = {}
      for (const flow of shapes[part].flows) entry[flow] = (all[flow] ?? 0) - (old[flow] ?? 0)
      for (const [first, last] of shapes[part].levels) {
        entry[first] = old[last] ?? 0
        entry[last] = all[last] ?? 0
      }
      return entry
    }),
  )
}

function combine(
  left: readonly Entry[],
  right: readonly Entry[],
  part: keyof Ledger,
  merge: (left: Counts, right: Counts) => Counts,
): readonly Entry[] {
  const byName = new Map(left.map((entry) => [entry.name, entry]))
  const result = right.map((entry) => {
    const old = byName.get(entry.name)
    byName.delete(entry.name)
    // A name that is new starts from nothing; its opening level is what it brought.
    const counts = merge(old ?? openingOf(entry, part), entry)
    return { name: entry.name, ...counts } as Entry
  })
  for (const entry of byName.values()) {
    const counts = merge(entry, closingOf(entry, part))
    result.push({ name: entry.name, ...counts } as Entry)
  }
  return result
}

/** An empty span before `entry`. */
function openingOf(entry: Entry, part: keyof Ledger): Counts {
  const counts: Record<string, number> = {}
  for (const [first, last] of shapes[part].levels) counts[first] = counts[last] = entry[first] ?? 0
  return counts
}

/**
 * An empty span after `entry`. In `epochLedger` the longer span misses what the shorter one has: its flows come out
 * negative, which `checkLedger` reports.
 */
function closingOf(entry: Entry, part: keyof Ledger): Counts {
  const counts: Record<string, number> = {}
  for (const [first, last] of shapes[part].levels) counts[first] = counts[last] = entry[last] ?? 0
  return counts
}

/** One equation that does not hold. */
export interface LedgerProblem {
  readonly part: keyof Ledger
  readonly name: string
  /** The equation in words. */
  readonly equation: string
  readonly left: number
  readonly right: number
}

interface Equation {
  readonly text: string
  readonly left: readonly string[]
  readonly right: readonly string[]
}

const equations: Readonly<Record<keyof Ledger, readonly Equation[]>> = {
  sources: [equation('read = emitted + skipped + deadLettered + rejected')],
  operators: [
    equation('received = accepted + late + skipped + deadLettered + rejected'),
    equation('late = lateTaken + lateDropped'),
  ],
  edges: [equation('sent + inFlightBefore = received + inFlightAfter')],
  buffers: [equation('before + added = released + expired + after')],
  sinks: [equation('received = published + skipped + deadLettered')],
}

function equation(text: string): Equation {
  const [left, right] = text.split(' = ')
  return { text, left: left!.split(' + '), right: right!.split(' + ') }
}

/** Every equation that does not hold, and every count that is not a count; empty when the ledger balances. */
export function checkLedger(ledger: Ledger): readonly LedgerProblem[] {
  const problems: LedgerProblem[] = []
  for (const part of ledgerParts) {
    for (const entry of entriesOf(ledger, part)) {
      for (const count of ledgerCounts(part)) {
        const value = entry[count] ?? Number.NaN
        if (!Number.isSafeInteger(value) || value < 0) {
          problems.push({
            part,
            name: entry.name,
            equation: `${count} >= 0`,
            left: value,
            right: 0,
          })
        }
      }
      for (const { text, left, right } of equations[part]) {
        const l = sum(entry, left)
        const r = sum(entry, right)
        if (l !== r) problems.push({ part, name: entry.name, equation: text, left: l, right: r })
      }
    }
  }
  return problems
}

/** Checks that `next` starts where `before` ended: levels at the seam are equal. */
export function checkContinuation(before: Ledger, next: Ledger): readonly LedgerProblem[] {
  const problems: LedgerProblem[] = []
  for (const part of ledgerParts) {
    const old = new Map(entriesOf(before, part).map((entry) => [entry.name, entry]))
    for (const entry of entriesOf(next, part)) {
      for (const [first, last] of shapes[part].levels) {
        const left = old.get(entry.name)?.[last] ?? 0
        const right = entry[first] ?? 0
        const equation = `${last} of the epoch before = ${first}`
        if (left !== right) problems.push({ part, name: entry.name, equation, left, right })
      }
    }
  }
  return problems
}

function sum(entry: Counts, names: readonly string[]): number {
  let total = 0
  for (const name of names) total += entry[name] ?? Number.NaN
  return total
}

/** `sources "clicks": read = emitted + skipped + deadLettered + rejected does not hold, 10 and 9`. */
export function formatLedgerProblem(problem: LedgerProblem): string {
  return `${problem.part} "${problem.name}": ${problem.equation} does not hold, ${problem.left} and ${problem.right}`
}
