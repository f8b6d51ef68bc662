import { afterEach, describe, expect, it } from 'vitest'
import {
  Code,
  canGenerateCode,
  code,
  compile,
  empty,
  forbidCodeGeneration,
  join,
  literal,
  name,
} from './codegen.ts'

afterEach(() => forbidCodeGeneration(false))

describe('program text', () => {
  it('is composed of fixed parts, numbers, names and literals', () => {
    const body = code`return ${name('c', 0)} + ${2} + ${literal('x')}`
    expect(body.text).toBe('return c0 + 2 + "x"')
    expect(compile([[name('c', 0), 1]], body)).toBe('3x')
    expect(join([code`a`, code`b`], code`;`).text).toBe('a;b')
    expect(join([empty, code`b`]).text).toBe('\nb')
  })

  it.each([-1, -0, 1e300, Number.NaN, Number.NEGATIVE_INFINITY])('keeps the number %s', (value) => {
    expect(compile([], code`return 0-${value}`)).toBe(0 - value)
    expect(Object.is(compile([], code`return ${value}`), value)).toBe(true)
  })

  it('cannot be made from a plain string', () => {
    expect(() => code`${'1; evil()' as never}`).toThrow(TypeError)
    expect(() => new Code(Symbol('code') as never, 'evil()')).toThrow(TypeError)
    expect(() => name('c0=evil', 1)).toThrow(TypeError)
    expect(() => name('c', 0.5)).toThrow(TypeError)
  })

  it.each(['"; evil() //', "'", `\`$\{x}\``, '\\', '\u2028\u2029', '</script>', '\0\n\r'])(
    'quotes %j so that it stays a value',
    (text) => {
      expect(compile([], code`return ${literal(text)}`)).toBe(text)
    },
  )
})

describe('compiled code', () => {
  it('is strict and sees its constants by value', () => {
    expect(() => compile([], code`undeclared = 1`)).toThrow(ReferenceError)
    const list = [1]
    expect(compile([[name('k', 3), list]], code`return k3`)).toBe(list)
  })
})

describe('a host without code generation', () => {
  it('is found out, and can be played by a test', () => {
    expect(canGenerateCode()).toBe(true)
    forbidCodeGeneration(true)
    expect(canGenerateCode()).toBe(false)
    forbidCodeGeneration(false)
    expect(canGenerateCode()).toBe(true)
  })
})
