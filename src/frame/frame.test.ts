import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { list, optional } from '../schema/collections.ts'
import { dynamic, ownDynamic } from '../schema/dynamic.ts'
import { bool, bytes, float, instant, int, jsonValue, literals, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { variant } from '../schema/variant.ts'
import { createFrameBuilder } from './create-builder.ts'
import { copyFrame, decodeFrame } from './decode.ts'
import { FRAME_BYTES_MAX, type Frame } from './frame.ts'
import { layoutOf } from './layout.ts'
import { pruneFrame } from './prune.ts'
import { freezeRows } from './rows.ts'

const bid = struct('bid', {
  auction: field(1, int),
  price: field(2, float),
  channel: field(3, text),
  url: field(4, text),
  at: field(5, instant),
  kind: field(6, literals('web', 'app')),
  fast: field(7, optional(bool)),
  tags: field(8, list(text)),
  raw: field(9, bytes),
  note: field(10, optional(text)),
})
const rowOf = (i: number) => ({
  auction: i,
  price: i / 4,
  channel: `channel-${i}`,
  url: `https://example.org/${'x'.repeat(i % 30)}`,
  at: 1000 + i,
  kind: i % 3 === 0 ? 'web' : 'app',
  fast: i % 2 === 0 ? undefined : i % 4 === 1,
  tags: i % 5 === 0 ? [] : [`t${i}`],
  raw: new Uint8Array([i & 255]),
  note: i % 7 === 0 ? undefined : `né${i}`,
})
const layout = layoutOf(bid)

function framesOf(of: typeof layout, rows: readonly unknown[]): Frame[] {
  const builder = createFrameBuilder(of)
  const frames: Frame[] = []
  for (const row of rows) if (builder.append(row, 5)) frames.push(builder.build())
  while (builder.length > 0) frames.push(builder.build())
  return frames
}

const code = (run: () => unknown): string | undefined => {
  try {
    run()
  } catch (error) {
    return isTidemillError(error) ? error.code : `other: ${String(error)}`
  }
  return undefined
}

describe('frame', () => {
  const rows = Array.from({ length: 300 }, (_, i) => rowOf(i))
  const frames = framesOf(layout, rows)

  it('holds rows in batches of 256', () => {
    expect(frames.map((frame) => frame.length)).toEqual([256, 44])
    const back = frames.flatMap((frame) =>
      Array.from({ length: frame.length }, (_, i) => layout.plain(frame, i)),
    )
    expect(back).toEqual(rows)
    expect(Object.keys(back[0] as object)).toEqual(Object.keys(rowOf(0)))
  })

  it('is its own encoding', () => {
    const frame = frames[0]!
    const again = decodeFrame(layout, frame.bytes)
    expect(again.row(17)).toEqual(rows[17])
    // Somewhere inside other bytes, aligned and not.
    for (const offset of [0, 8, 3]) {
      const outer = new Uint8Array(frame.byteLength + 40)
      outer.set(frame.bytes, offset)
      const inside = decodeFrame(layout, outer, offset)
      expect(inside.row(255)).toEqual(rows[255])
      const own = copyFrame(inside)
      expect(own.u8.length).toBe(frame.byteLength)
      expect(own.row(3)).toEqual(rows[3])
    }
  })

  it('shows views that read in place and refuse writes', () => {
    const view = new layout.View(frames[0]!, 9) as ReturnType<typeof rowOf>
    expect([view.auction, view.channel, view.note, view.kind, view.fast]).toEqual([
      9,
      'channel-9',
      'né9',
      'web',
      true,
    ])
    expect(() => {
      view.auction = 3
    }).toThrow(TypeError)
    expect(JSON.parse(JSON.stringify(view))).toMatchObject({ auction: 9 })
    expect(ownDynamic(view)).toEqual(rows[9])
    expect(dynamic.decode(dynamic.encode(view))).toEqual(rows[9])
    expect(bid.own(view as never)).toEqual(rows[9])
  })

  it('freezes plain rows in debug mode', () => {
    freezeRows(true)
    try {
      const row = layout.plain(frames[0]!, 1) as ReturnType<typeof rowOf>
      expect(Object.isFrozen(row) && Object.isFrozen(row.tags)).toBe(true)
    } finally {
      freezeRows(false)
    }
    expect(Object.isFrozen(layout.plain(frames[0]!, 1))).toBe(false)
  })

  it('knows its event times', () => {
    const builder = createFrameBuilder(layout)
    builder.append(rowOf(1), 30, 7)
    builder.append(rowOf(2), 10, -7)
    builder.append(rowOf(3), Number.NaN, 1)
    const frame = builder.build()
    expect([frame.timestampMin, frame.timestampMax]).toEqual([10, 30])
    expect([...frame.timestamps!]).toEqual([30, 10, Number.NaN])
    expect([...frame.hashes!]).toEqual([7, -7, 1])
    builder.append(rowOf(1))
    const untimed = builder.build()
    expect([
      untimed.timestamps,
      untimed.hashes,
      untimed.timestampMin,
      untimed.timestampAt(0),
    ]).toEqual([undefined, undefined, Number.NaN, Number.NaN])
  })

  it('takes back rows', () => {
    const builder = createFrameBuilder(layout)
    for (let i = 0; i < 10; i++) builder.append(rowOf(i))
    const mark = builder.mark()
    for (let i = 10; i < 30; i++) builder.append(rowOf(99))
    builder.rollback(mark)
    expect(code(() => builder.append({ ...rowOf(1), note: 5 }))).toBe('TM1001')
    expect(code(() => builder.append({ ...rowOf(1), tags: [5] }))).toBe('TM1001')
    for (let i = 10; i < 20; i++) builder.append(rowOf(i))
    const frame = builder.build()
    expect(Array.from({ length: 20 }, (_, i) => frame.row(i))).toEqual(rows.slice(0, 20))
  })

  it('stays under 64 KB, and lets a larger row travel alone', () => {
    const one = struct('one', { s: field(1, text), n: field(2, int) })
    const many = Array.from({ length: 400 }, (_, i) => ({
      s: (i % 50 === 7 ? 'é' : 'a').repeat(i === 100 ? 90_000 : i * 20),
      n: i,
    }))
    const built = framesOf(layoutOf(one), many)
    expect(
      built.flatMap((frame) => Array.from({ length: frame.length }, (_, i) => frame.row(i))),
    ).toEqual(many)
    for (const frame of built)
      expect(frame.byteLength <= FRAME_BYTES_MAX || frame.length === 1).toBe(true)
    const wide = Array.from({ length: 200 }, (_, n) => ({ s: '漢'.repeat(300), n }))
    const wideFrames = framesOf(layoutOf(one), wide)
    expect(
      wideFrames.flatMap((frame) => Array.from({ length: frame.length }, (_, i) => frame.row(i))),
    ).toEqual(wide)
    for (const frame of wideFrames) expect(frame.byteLength).toBeLessThanOrEqual(FRAME_BYTES_MAX)
  })

  it('copies rows between frames', () => {
    const builder = createFrameBuilder(layout)
    for (let i = 0; i < 100; i++) builder.appendFrom(frames[0]!, 99 - i)
    const frame = builder.build()
    for (let i = 0; i < 100; i++) expect(frame.row(i)).toEqual(rows[99 - i])
    expect(frame.timestampMin).toBe(5)
    const small = layout.pruned(['channel', 'note'])
    const narrow = createFrameBuilder(small)
    narrow.appendFrom(frames[0]!, 3)
    expect(narrow.build().row(0)).toEqual({ channel: 'channel-3', note: 'né3' })
  })

  it('drops columns whole', () => {
    const small = layout.pruned(['note', 'price', 'fast', 'nothing'])
    expect(small).toBe(layout.pruned(['price', 'note', 'fast']))
    const frame = pruneFrame(frames[0]!, small)
    expect(frame.byteLength).toBeLessThan(frames[0]!.byteLength / 3)
    expect(frame.row(8)).toEqual({ price: 2, fast: undefined, note: 'né8' })
    expect(frame.timestampAt(8)).toBe(5)
    expect(decodeFrame(small, frame.bytes).row(8)).toEqual(frame.row(8))
    expect(code(() => decodeFrame(layout, frame.bytes))).toBe('TM1031')
  })
})

describe('variants', () => {
  const event = variant('type', {
    person: struct('person', { id: field(1, int), name: field(2, text) }),
    bid: struct('bid', { auction: field(1, int), price: field(2, float), id: field(3, text) }),
    none: struct('none', {}),
  })
  const of = layoutOf(event)
  const rows = Array.from({ length: 256 }, (_, i) =>
    i % 5 === 0
      ? { type: 'person', id: i, name: `n${i}` }
      : i % 7 === 0
        ? { type: 'none' }
        : { type: 'bid', auction: i, price: i / 2, id: `é${i}` },
  )
  it('keep the columns of each case', () => {
    const [frame] = framesOf(of, rows)
    expect(Array.from({ length: 256 }, (_, i) => frame!.row(i))).toEqual(rows)
    const view = (i: number) =>
      new of.View(frame!, i) as { type: string; id: unknown; price: unknown }
    expect([view(5).type, view(5).id, view(5).price]).toEqual(['person', 5, undefined])
    expect([view(6).type, view(6).id, view(6).price]).toEqual(['bid', 'é6', 3])
    const small = pruneFrame(frame!, of.pruned(['type', 'price']))
    expect([small.row(5), small.row(6), small.row(7)]).toEqual([
      { type: 'person' },
      { type: 'bid', price: 3 },
      { type: 'none' },
    ])
    expect(code(() => createFrameBuilder(of).append({ type: 'other' }))).toBe('TM1001')
    expect(code(() => createFrameBuilder(of).append(null))).toBe('TM1001')
  })
})

describe('single values', () => {
  it('are rows of one column', () => {
    const [texts] = framesOf(layoutOf(text), ['a', 'é', ''])
    expect([texts!.row(0), texts!.row(1), layoutOf(text).view(texts!, 2)]).toEqual(['a', 'é', ''])
    const [any] = framesOf(layoutOf(jsonValue), [null, [1], { a: 'x' }])
    expect([any!.row(0), any!.row(1), any!.row(2)]).toEqual([null, [1], { a: 'x' }])
  })
})
