import { describe, expect, expectTypeOf, it } from 'vitest'
import { defineErrors, formatError, isTidemillError, TidemillError } from './errors.ts'

const errors = defineErrors({
  torn: {
    code: 'TM1299',
    kind: 'fatal',
    title: 'a block does not match its checksum',
    remedy: 'Restore the file from a copy.',
  },
})

describe('TidemillError', () => {
  it('carries the definition and the facts of the occurrence', () => {
    const cause = new Error('short read')
    const error = new TidemillError(errors.torn, {
      message: 'segment 7',
      details: { file: '7.log', offset: 42 },
      cause,
    })
    expect(error).toBeInstanceOf(Error)
    expect(error.message).toBe('a block does not match its checksum: segment 7')
    expect(error).toMatchObject({ code: 'TM1299', kind: 'fatal', name: 'TidemillError', cause })
    expect(error.details).toEqual({ file: '7.log', offset: 42 })
  })

  it('has no cause and no details unless given', () => {
    const error = new TidemillError(errors.torn)
    expect(Object.hasOwn(error, 'cause')).toBe(false)
    expect(error.details).toEqual({})
    expect(error.message).toBe(errors.torn.title)
  })

  it('gains details on its way up without losing those it has, nor its stack', () => {
    const inner = new TidemillError(errors.torn, { details: { offset: 42 }, cause: 'cable' })
    const outer = inner.with({ operator: 'counts', offset: 1 })
    expect(outer.details).toEqual({ operator: 'counts', offset: 42 })
    expect(outer).toMatchObject({ code: 'TM1299', cause: 'cable', message: inner.message })
    expect(outer.stack).toBe(inner.stack)
    expect(inner.details).toEqual({ offset: 42 })
  })
})

describe('identity', () => {
  it('does not depend on the copy of the class', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('tidemill.error')]: true })
    expect(isTidemillError(foreign)).toBe(true)
    expect(isTidemillError(new TidemillError(errors.torn))).toBe(true)
  })

  it.each([new Error('x'), null, undefined, 'TM1299', { code: 'TM1299' }])('is not in %s', (v) => {
    expect(isTidemillError(v)).toBe(false)
  })
})

describe('a catalogue', () => {
  it('keeps its codes as literal types and cannot be changed', () => {
    expectTypeOf(errors.torn.code).toEqualTypeOf<'TM1299'>()
    expect(Object.isFrozen(errors)).toBe(true)
  })
})

describe('formatError', () => {
  it('shows code, facts, cause and remedy', () => {
    const cause = new Error('short read')
    cause.stack = 'Error: short read\n    at read (disk.ts:1:1)'
    const error = new TidemillError(errors.torn, { details: { file: '7.log' }, cause })
    expect(formatError(error).split('\n')).toEqual([
      'TM1299 (fatal)  a block does not match its checksum',
      '  file       7.log',
      '  Error: short read',
      '      at read (disk.ts:1:1)',
      '  to do      Restore the file from a copy.',
      '  more       tidemill explain TM1299',
    ])
  })

  it('shows of what the system refused no stack, which would lead into this package', () => {
    const cause = Object.assign(new Error('no space left'), { errno: 'ENOSPC' })
    const text = formatError(new TidemillError(errors.torn, { cause }))
    expect(text).toContain('  Error: no space left\n  to do')
  })

  it('shows other errors by their stack and other values as text', () => {
    const error = new Error('plain')
    expect(formatError(error)).toBe(error.stack)
    expect(formatError(7)).toBe('thrown value: 7')
  })
})
