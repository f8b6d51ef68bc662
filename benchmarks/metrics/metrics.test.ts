import { describe, expect, test } from 'vitest'
import { atLeast, atMost, figure } from './figure.ts'
import { sourceNsPerRow } from './synthetic.ts'

describe('a figure', () => {
  test('holds on its goal and not beyond', () => {
    expect(figure('P1', 'x', 3, 'x', atLeast(3)).holds).toBe(true)
    expect(figure('P1', 'x', 2.9, 'x', atLeast(3)).holds).toBe(false)
    expect(figure('P1', 'x', 3, 'x', atMost(3)).holds).toBe(true)
    expect(figure('P1', 'x', 3.1, 'x', atMost(3)).holds).toBe(false)
  })

  test('without a goal holds nothing', () => {
    expect(figure('P1', 'x', 3, 'x', undefined)).toMatchObject({ goal: null, holds: null })
  })

  test('that could not be measured does not hold', () => {
    expect(figure('P1', 'x', Number.NaN, 'x', atMost(3)).holds).toBe(false)
  })
})

test('the source ends', () => {
  expect(sourceNsPerRow({ keys: 10, phases: [{ draw: 'zipf', events: 1 }] }, 1000)).toBeGreaterThan(
    0,
  )
})
