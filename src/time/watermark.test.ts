import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timestampMax, timestampMin } from '../base/time.ts'
import { WatermarkMerge } from './watermark.ts'

const merge = (...names: string[]): WatermarkMerge => {
  const made = new WatermarkMerge()
  for (const name of names) made.add(name, 0)
  return made
}

describe('WatermarkMerge', () => {
  it('is the least of its inputs', () => {
    const m = merge('a', 'b')
    expect(m.advance('a', 10, 1)).toBe(false)
    expect(m.watermark).toBe(timestampMin)
    expect(m.advance('b', 5, 2)).toBe(true)
    expect(m.watermark).toBe(5)
    expect(m.advance('b', 20, 3)).toBe(true)
    expect(m.watermark).toBe(10)
  })

  it('does not wait for idle inputs and takes them back without going backwards', () => {
    const m = merge('a', 'b')
    m.advance('a', 10, 1)
    expect(m.idle('b')).toBe(true)
    expect(m.watermark).toBe(10)
    m.advance('b', 3, 2)
    expect(m.watermark).toBe(10)
    m.advance('a', 30, 3)
    expect(m.watermark).toBe(10)
    expect(m.advance('b', 25, 4)).toBe(true)
    expect(m.watermark).toBe(25)
  })

  it('stays where it is when every input is idle', () => {
    const m = merge('a', 'b')
    m.advance('a', 10, 1)
    m.advance('b', 20, 1)
    m.idle('b')
    m.idle('a')
    expect([m.watermark, m.status]).toEqual([10, 'idle'])
  })

  it('reaches the end of time when every input has ended, and waits for an idle one', () => {
    const m = merge('a', 'b')
    m.advance('a', 10, 1)
    m.idle('b')
    expect(m.end('a')).toBe(false)
    expect(m.watermark).toBe(10)
    expect(m.end('b')).toBe(true)
    expect([m.watermark, m.status]).toEqual([timestampMax, 'ended'])
  })

  it('knows who holds it back and since when', () => {
    const m = merge('a', 'b')
    m.advance('a', 10, 100)
    expect(m.holder()).toEqual({ input: 'b', watermark: timestampMin, sinceMs: 0 })
    m.advance('b', 15, 200)
    expect(m.holder()).toEqual({ input: 'a', watermark: 10, sinceMs: 100 })
    m.idle('a')
    expect(m.holder()?.input).toBe('b')
    m.idle('b')
    expect(m.holder()).toBeUndefined()
    m.advance('a', 10, 300)
    expect(m.holder()).toEqual({ input: 'a', watermark: 10, sinceMs: 300 })
  })

  it('forgets a removed input, but does not move without inputs', () => {
    const m = merge('a', 'b')
    m.advance('a', 10, 1)
    expect(m.remove('b')).toBe(true)
    expect(m.watermark).toBe(10)
    expect(m.remove('a')).toBe(false)
    expect([m.watermark, m.status]).toEqual([10, 'idle'])
  })

  it('starts at the watermark of a snapshot', () => {
    const m = new WatermarkMerge(50)
    m.add('a', 0)
    m.advance('a', 20, 1)
    expect(m.watermark).toBe(50)
  })

  it('equals its definition after any history', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      kind: fc.constantFrom('advance', 'advance', 'advance', 'idle', 'end', 'remove'),
      at: fc.integer({ min: 0, max: 40 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const m = new WatermarkMerge()
        const model = new Map<string, { at: number; status: string }>()
        let wanted: number = timestampMin
        for (const { name, kind, at } of steps) {
          const before = m.watermark
          let input = model.get(name)
          if (input === undefined) {
            input = { at: timestampMin, status: 'active' }
            model.set(name, input)
            m.add(name, 0)
          }
          let rose = false
          if (kind === 'remove') {
            model.delete(name)
            rose = m.remove(name)
          } else if (kind === 'end') {
            input.status = 'ended'
            rose = m.end(name)
          } else if (input.status !== 'ended') {
            if (kind === 'idle') {
              input.status = 'idle'
              rose = m.idle(name)
            } else {
              input.status = 'active'
              input.at = Math.max(input.at, at)
              rose = m.advance(name, at, 0)
            }
          }
          const active = [...model.values()]
            .filter(({ status }) => status === 'active')
            .map(({ at: w }) => w)
          const allEnded =
            model.size > 0 && [...model.values()].every(({ status }) => status === 'ended')
          if (active.length > 0) wanted = Math.max(wanted, Math.min(...active))
          else if (allEnded) wanted = timestampMax
          expect(m.watermark).toBe(wanted)
          expect(rose).toBe(m.watermark > before)
        }
      }),
      { numRuns: 500 },
    )
  })
})
