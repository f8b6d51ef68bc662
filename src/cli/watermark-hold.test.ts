import { expect, test } from 'vitest'
import { WatermarkHold } from './watermark-hold.ts'

test('time counts from the last move of the watermark, or of who holds it', () => {
  const hold = new WatermarkHold()
  expect(hold.heldMs(0)).toBeUndefined()
  hold.look({ holders: [], watermarkMs: undefined }, 0)
  expect(hold.heldMs(10)).toBeUndefined()
  hold.look({ holders: ['a', 'b'], watermarkMs: 5 }, 1_000)
  hold.look({ holders: ['a'], watermarkMs: 5 }, 2_000)
  expect(hold.heldMs(3_500)).toBe(2_500)
  hold.look({ holders: ['a'], watermarkMs: 6 }, 4_000)
  expect(hold.heldMs(4_000)).toBe(0)
  hold.look({ holders: ['b'], watermarkMs: 6 }, 5_000)
  expect(hold.heldMs(5_100)).toBe(100)
  hold.look(undefined, 6_000)
  expect(hold.heldMs(7_000)).toBeUndefined()
})
