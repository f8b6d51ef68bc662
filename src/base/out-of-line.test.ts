import { expect, test } from 'vitest'
import { outOfLine } from './out-of-line.ts'

test('calls the function at the index with the argument', () => {
  const functions = [(text: string) => text.length, (text: string) => text.charCodeAt(0)]
  expect(outOfLine(functions, 0, 'tide')).toBe(4)
  expect(outOfLine(functions, 1, 'A')).toBe(65)
})

test('what the function throws arrives', () => {
  const fails = (): never => {
    throw new RangeError('out')
  }
  expect(() => outOfLine([fails], 0, undefined)).toThrow(new RangeError('out'))
})
