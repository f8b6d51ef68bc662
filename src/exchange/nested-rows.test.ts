import { afterEach, describe, expect, test } from 'vitest'
import { forbidCodeGeneration } from '../base/codegen.ts'
import { plainRow } from '../schema/row.ts'
import { exchange, rowsOf } from './rows.test-support.ts'

afterEach(() => forbidCodeGeneration(false))

interface Counted {
  readonly key: string
  readonly window: { readonly start: number; readonly end: number }
  readonly count: number
}

const counted = (i: number): Counted => ({
  key: `k${i}`,
  window: { start: i * 1000, end: i * 1000 + 5000 },
  count: i,
})

describe.each([false, true])('records inside of rows, without generated code: %s', (forbidden) => {
  const sent = (rows: readonly unknown[], fields?: readonly string[]) => {
    forbidCodeGeneration(forbidden)
    const { writer, channel } = exchange({ fields })
    for (const row of rows) writer.send(1, row, 0, 0)
    writer.flush()
    return channel.batches()
  }

  test('their fields are columns', () => {
    const rows = Array.from({ length: 10 }, (_, i) => counted(i))
    const [batch, ...more] = sent(rows)
    expect(more).toEqual([])
    const { columns } = batch!.frame!.layout
    expect(columns.all.map((one) => one.storage)).toEqual(['text', 'number', 'number', 'number'])
    expect(rowsOf([batch!])).toStrictEqual(rows)
  })

  test('views show them', () => {
    const [batch] = sent([counted(1), counted(2)], ['window', 'count'])
    const frame = batch!.frame!
    const view = frame.layout.view(frame, 1) as Counted
    expect(view.window).toStrictEqual({ start: 2000, end: 7000 })
    expect(view.count).toBe(2)
    expect(JSON.stringify(view)).toBe('{"window":{"start":2000,"end":7000},"count":2}')
    const toPlain = (view as unknown as { readonly [plainRow]: () => unknown })[plainRow]
    expect(toPlain.call(view)).toStrictEqual({ window: { start: 2000, end: 7000 }, count: 2 })
  })

  test('they may change from row to row', () => {
    const rows: unknown[] = [
      { at: { x: 1, y: 2 } },
      { at: { x: 1.5, y: 2 } },
      { at: { x: -0, y: 2 } },
      { at: { y: 2, x: 1 } },
      { at: { x: 1, y: 2, z: 3 } },
      { at: { x: 1 } },
      { at: { x: 1, y: undefined } },
      { at: { x: 1, y: 'two' } },
      { at: { x: 1, y: { z: 1 } } },
      { at: {} },
      { at: null },
      { at: undefined },
      {},
      { at: [1, 2] },
      { at: new Map([[1, 2]]) },
      { at: 5 },
      { at: { x: '\ud800', y: 2 } },
      { at: { x: 1, y: 2 } },
      { at: { toJSON: 1, constructor: 2 } },
      { at: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}`, i])) },
    ]
    expect(rowsOf(sent(rows))).toStrictEqual(rows)
    for (const row of rows) {
      const batch = [counted(1), row, counted(2), row]
      expect(rowsOf(sent(batch))).toStrictEqual(batch)
    }
  })

  test('what is no plain record in the place of one is refused', () => {
    class Point {
      x = 1
    }
    expect(() => sent([{ at: { x: 1 } }, { at: new Point() }])).toThrow(
      'cannot be sent to another subtask',
    )
  })
})
