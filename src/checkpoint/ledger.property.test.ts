import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sampleLedger } from '../../test/golden/snapshot/sample.ts'
import {
  checkContinuation,
  checkLedger,
  continueLedger,
  emptyLedger,
  epochLedger,
  type Ledger,
  mergeLedgers,
} from './ledger.ts'

const count = fc.nat(1_000)

/** A balanced ledger whose buffer starts with `before` rows. */
const balanced = (before: number): fc.Arbitrary<Ledger> =>
  fc.tuple(count, count, count, count, count, count).map(([a, b, c, d, e, f]) => ({
    sources: [
      { name: 's', read: a + b + c + d, emitted: a, skipped: b, deadLettered: c, rejected: d },
    ],
    operators: [
      {
        name: 'o',
        received: a + b + c + d + e,
        accepted: a,
        late: b + c,
        lateTaken: b,
        lateDropped: c,
        skipped: d,
        deadLettered: e,
        rejected: 0,
      },
    ],
    edges: [{ name: 's > o', sent: a, received: a, inFlightBefore: 0, inFlightAfter: 0 }],
    buffers: [
      { name: 'o.b', before, added: d + e + f, released: d + before, expired: e, after: f },
    ],
    sinks: [{ name: 'k', received: a + b, published: a, skipped: b, deadLettered: 0 }],
  }))

const spans = balanced(0).chain((first) =>
  balanced(first.buffers[0]!.after).map((second) => ({ first, second })),
)

describe('the ledger', () => {
  it('balances over one span, over two in a row, and over their difference', () => {
    fc.assert(
      fc.property(spans, ({ first, second }) => {
        const total = continueLedger(first, second)
        expect([...checkLedger(first), ...checkLedger(second), ...checkLedger(total)]).toEqual([])
        expect(checkContinuation(first, second)).toEqual([])
        expect(epochLedger(first, total)).toEqual(second)
        expect(continueLedger(emptyLedger, first)).toEqual(mergeLedgers([first]))
        expect(checkLedger(mergeLedgers([first, first, second]))).toEqual([])
      }),
    )
  })

  it('notices one count that is off by one, whichever it is', () => {
    for (const [part, entries] of Object.entries(sampleLedger)) {
      for (const name of Object.keys(entries[0]!).filter((key) => key !== 'name')) {
        const changed = {
          ...sampleLedger,
          [part]: [{ ...entries[0]!, [name]: (entries[0] as never)[name] + 1 }],
        } as Ledger
        expect(checkLedger(changed), `${part}.${name}`).not.toEqual([])
      }
    }
    expect(checkLedger(sampleLedger)).toEqual([])
  })

  it('notices a buffer that lost rows over a restart, and an entry that vanished', () => {
    const next = {
      ...emptyLedger,
      buffers: [{ name: 'totals.pane', before: 1, added: 0, released: 0, expired: 0, after: 1 }],
    }
    expect(checkContinuation(sampleLedger, next)).toMatchObject([
      { part: 'buffers', left: 2, right: 1 },
    ])
    expect(checkLedger(epochLedger(sampleLedger, emptyLedger))).not.toEqual([])
  })
})
