import { describe, expect, test } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { plainRow } from '../schema/row.ts'
import { keyHash } from '../schema/key.ts'
import type { MessageWriter } from './contract.ts'
import { groupOwners } from './exchange-writer.ts'
import { Channel, exchange, rowOf, rowsOf } from './rows.test-support.ts'

describe('rows', () => {
  test('of one shape are one frame, with keys, times, marks and hashes', () => {
    const { writer, channel } = exchange()
    for (let i = 0; i < 3; i++) writer.send(i, { id: i, name: `n${i}` }, 1000 + i, 900 + i)
    expect(channel.messages).toHaveLength(0)
    writer.flush()
    const [batch] = channel.batches()
    expect(batch!.frame?.layout.fields).toEqual(['id', 'name'])
    expect(batch!.keys).toEqual(new Float64Array([0, 1, 2]))
    expect([...batch!.times]).toEqual([1000, 1001, 1002])
    expect([...batch!.marks]).toEqual([900, 901, 902])
    expect([...batch!.hashes!]).toEqual([0, 1, 2].map(keyHash))
    expect(rowsOf([batch!])).toEqual([0, 1, 2].map((id) => ({ id, name: `n${id}` })))
    expect(writer.rowsSent).toBe(3)
    expect(writer.bytesSent).toBeGreaterThan(100)
  })

  test('are sent by 256 without being asked', () => {
    const { writer, channel } = exchange()
    for (let i = 0; i < 600; i++) writer.send('k', i, Number.NaN, 0)
    expect(channel.batches().map((batch) => batch.length)).toEqual([256, 256])
    writer.flush()
    expect(channel.batches().map((batch) => batch.length)).toEqual([88])
  })

  test('keep their order when shapes take turns, in one batch', () => {
    const { writer, channel } = exchange()
    const rows = [{ a: 1 }, { b: 'x' }, 7, { a: 2 }, { b: 'y', c: [1] }, null, { a: 0.5 }]
    for (const row of rows) writer.send('k', row, 0, 0)
    writer.flush()
    const [batch, ...others] = channel.batches()
    expect(others).toEqual([])
    expect(batch!.frame).toBeUndefined()
    expect(batch!.rows).toEqual(rows)
  })

  test('widen a column for good', () => {
    const { writer, channel } = exchange()
    const kindsOf = (row: unknown): unknown => {
      writer.send('k', row, 0, 0)
      writer.flush()
      const [batch] = channel.batches()
      expect(rowOf(batch!, 0)).toStrictEqual(row)
      return batch!.frame?.layout.columns.all.map(
        (one) => one.type.kind + (one.optional ? '?' : ''),
      )
    }
    expect(kindsOf({ v: 1 })).toEqual(['int'])
    expect(kindsOf({ v: -0 })).toEqual(['float'])
    expect(kindsOf({ v: 1 })).toEqual(['float'])
    expect(kindsOf({ v: undefined })).toEqual(['float?'])
    expect(kindsOf({ v: 'text' })).toEqual(['dynamic'])
    expect(kindsOf({ v: 2 })).toEqual(['dynamic'])
  })

  test('of which only some fields are read bring those', () => {
    const { writer, channel } = exchange({ fields: ['id', 'price'] })
    class Bid {
      id = 1
      get price(): number {
        return 2
      }
    }
    for (const row of [{ id: 7, price: 1, url: 'long' }, { id: 8 }, new Bid()])
      writer.send('k', row, 0, 0)
    writer.flush()
    const [first] = channel.batches()
    expect(first!.rows).toStrictEqual([
      { id: 7, price: 1 },
      { id: 8, price: undefined },
      { id: 1, price: 2 },
    ])
    writer.send('k', { id: 9, price: 3 }, 0, 0)
    writer.flush()
    const [second] = channel.batches()
    expect(second!.frame?.layout.fields).toEqual(['id', 'price'])
  })

  test('that are views arrive as plain rows', () => {
    const { writer, channel } = exchange()
    const view = { [plainRow]: () => ({ a: 1 }) }
    Object.setPrototypeOf(view, {
      get a() {
        return 1
      },
    })
    writer.send('k', view, 0, 0)
    writer.flush()
    expect(rowsOf(channel.batches())).toEqual([{ a: 1 }])
  })

  test('of many forms travel all the same', () => {
    const { writer, channel } = exchange()
    const rows = Array.from({ length: 100 }, (_, i) => ({ [`field${i}`]: i }))
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, i]))
    for (const row of [...rows, wide]) writer.send('k', row, 0, 0)
    writer.flush()
    expect(rowsOf(channel.batches())).toEqual([...rows, wide])
  })

  test('larger than a frame travel alone', () => {
    const { writer, channel } = exchange()
    const rows = ['a', 'b'.repeat(3_000_000), '€'.repeat(40_000), 'c'].map((text) => ({ text }))
    for (const row of rows) writer.send('k', row, 0, 0)
    writer.flush()
    const batches = channel.batches()
    expect(batches.map((batch) => batch.length)).toEqual([1, 1, 1, 1])
    expect(rowsOf(batches)).toEqual(rows)
  })

  test.each([
    ['a function', { run: () => 1 }],
    ['a date', { at: new Date(0) }],
    ['an instance', new (class Order {})()],
    ['a symbol', Symbol('s')],
  ])('that hold %s are refused by name and leave no trace', (_, row) => {
    const { writer, channel } = exchange()
    writer.send('k', { a: 1 }, 0, 0)
    let error: unknown
    try {
      writer.send('k', row, 0, 0)
    } catch (thrown) {
      error = thrown
    }
    expect(isTidemillError(error) && error.code).toBe('TM1800')
    expect(String(error)).toContain('"by user"')
    writer.send('k', { a: 2 }, 0, 0)
    writer.flush()
    expect(rowsOf(channel.batches())).toEqual([{ a: 1 }, { a: 2 }])
    expect(writer.rowsSent).toBe(2)
  })

  test('whose getters fail pass the error on', () => {
    const { writer } = exchange({ fields: ['a'] })
    const row = {
      get a(): number {
        throw new RangeError('mine')
      },
    }
    expect(() => writer.send('k', row, 0, 0)).toThrow(RangeError)
  })
})

test('keys that are no keys are refused', () => {
  const { writer } = exchange()
  expect(() => writer.send(Number.NaN, {}, 0, 0)).toThrow(/TM1042|not valid/)
})

test('every key group has the owner whose range holds it', () => {
  expect([...groupOwners(8, 3)]).toEqual([0, 0, 1, 1, 1, 2, 2, 2])
  const channels = [new Channel(), new Channel(), new Channel()]
  const { writer } = exchange({ targets: channels, maxParallelism: 8 })
  for (let key = 0; key < 100; key++) writer.send(key, { key }, 0, 0)
  writer.flush()
  const owners = groupOwners(8, 3)
  channels.forEach((channel, to) => {
    const keys = channel.batches().flatMap((batch) => Array.from(batch.keys as ArrayLike<number>))
    expect(keys.length).toBeGreaterThan(10)
    for (const key of keys) expect(owners[keyHash(key) & 7]).toBe(to)
  })
})

test('without keys the caller names the target', () => {
  const channels = [new Channel(), new Channel()]
  const { writer } = exchange({ targets: channels, keyed: false })
  writer.sendTo(1, { a: 1 }, 5, 6)
  writer.flush()
  expect(channels[0]!.take()).toEqual([])
  const [batch] = channels[1]!.batches()
  expect(batch!.keys.length).toBe(0)
  expect(batch!.hashes).toBeUndefined()
})

test('control messages go to all targets, behind the rows', () => {
  const channels = [new Channel(), new Channel()]
  const { writer } = exchange({ targets: channels, keyed: false })
  writer.sendTo(1, 'row', 0, 0)
  writer.watermark(42)
  writer.idle()
  writer.barrier(7)
  writer.end()
  const control = [
    { kind: 'watermark', watermark: 42 },
    { kind: 'idle' },
    { kind: 'barrier', epoch: 7 },
    { kind: 'end' },
  ]
  expect(channels[0]!.take()).toEqual(control)
  const [rows, ...rest] = channels[1]!.take()
  expect(rows!.kind).toBe('rows')
  expect(rest).toEqual(control)
})

test('what a channel refuses waits in order', () => {
  const inner = new Channel()
  let room = 1
  const gate: MessageWriter = {
    size: 1 << 20,
    fill: 1,
    write: (message) => room > 0 && room-- > 0 && inner.write(message),
  }
  const { writer } = exchange({ targets: [gate] })
  for (let i = 0; i < 4; i++) {
    writer.send('k', i, 0, 0)
    writer.flush()
  }
  expect(writer.blocked).toBe(true)
  expect(writer.drain()).toBe(false)
  room = 2
  writer.watermark(1)
  expect(writer.drain()).toBe(false)
  room = 10
  expect(writer.drain()).toBe(true)
  expect(writer.blocked).toBe(false)
  const messages = inner.take()
  expect(messages.map((one) => one.kind)).toEqual(['rows', 'rows', 'rows', 'rows', 'watermark'])
})
