import { describe, expect, it } from 'vitest'
import { assert, present, unreachable } from './assert.ts'

describe('assertions', () => {
  it('pass when the property holds', () => {
    expect(() => assert(true, 'never shown')).not.toThrow()
    expect(present(0, 'count')).toBe(0)
    expect(present('', 'name')).toBe('')
  })

  it('stop with TM1000 and say which property broke', () => {
    const broken = { code: 'TM1000', kind: 'bug' }
    expect(() => assert(false, 'offsets rise', { offset: 3 })).toThrow(
      expect.objectContaining({ ...broken, details: { offset: 3 } }),
    )
    expect(() => present(undefined, 'the manifest')).toThrow(/: the manifest is absent$/)
    expect(() => present(null, 'x')).toThrow(expect.objectContaining(broken))
    expect(() => unreachable({ kind: 'new' } as never)).toThrow('{"kind":"new"}')
  })
})
