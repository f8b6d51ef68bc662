import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { explainText } from '../graph/explain.ts'
import { nullSink, rowsSource, runRows } from '../runtime/run-rows.test-support.ts'
import { fieldsRead } from '../runtime/projection.ts'
import type { SourceNode } from '../graph/plan.ts'
import { expr, lit } from './expressions.ts'
import { sum } from './aggregates.ts'
import { pipelineOn } from './pipeline.ts'

interface Order {
  readonly user: string
  readonly price: number
  readonly note?: string | null
  readonly unread: string
}

const orders: readonly Order[] = [
  { user: 'Ann-1', price: 10, note: 'x', unread: '' },
  { user: 'BOB-2', price: 3, unread: '' },
  { user: 'ann-1', price: 5, note: null, unread: '' },
]

describe('where, select and expr', () => {
  const app = pipelineOn(undefined)('orders')
  const source = app.from('orders', rowsSource<Order>())
  source
    .where((c) => c.price.gt(3).and(c.user.contains('-')))
    .select((c) => ({
      user: c.user.lower().part('-', 0).coalesce('?'),
      euro: c.price.mul(0.5),
      left: lit(100).sub(c.price),
      note: c.note.coalesce('none'),
      size: c.price.ge(10).choose('large', 'small'),
      kind: 'order',
    }))
    .keyBy(expr((c) => c.user))
    .aggregate('total', { total: sum(expr((c) => c.euro)) })
    .to('totals', nullSink<{ readonly key: string; readonly total: number }>())
  const plan = app.plan()

  it('compute what closures would', async () => {
    for (const interpreted of [false, true])
      expect(await runRows(plan, orders, { interpreted })).toEqual({
        totals: [
          { key: 'ann', total: 5 },
          { key: 'ann', total: 7.5 },
        ],
      })
  })

  it('tell which fields they read', () => {
    expect(fieldsRead(plan, plan.nodes[0] as SourceNode)).toEqual(['note', 'price', 'user'])
  })

  it('are shown by explain', () => {
    const text = explainText(plan)
    expect(text).toContain('filter ((price > 3) and contains(user, "-"))')
    expect(text).toContain('euro: (price * 0.5), left: (100 - price)')
    expect(text).toContain('key-by user')
  })

  it('refuse what is neither expression nor constant', () => {
    const wrong = [
      () => source.where((() => new Date()) as never),
      () => source.where('price > 3' as never),
      () => source.select(() => ({})),
      () => source.select(() => ({ a: undefined as never })),
      () => source.select((() => ({ ['__proto__']: 1 })) as never),
      () => source.where((c) => (c.price.gt as () => never)()),
      () => expr((() => ({})) as never),
    ]
    for (const one of wrong) {
      const error = ((): unknown => {
        try {
          return one()
        } catch (caught) {
          return caught
        }
      })()
      expect(isTidemillError(error) && error.code).toBe('TM1351')
    }
  })
})
