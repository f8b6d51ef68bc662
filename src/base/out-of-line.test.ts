import { expect, test } from 'vitest'
import { outOfLine } from './out-of-line.ts'

test('calls the function at the index with the arguments', () => {
  const functions = [
    (text: string, add: number) => text.length + add,
    (text: string) => text.charCodeAt(0),
  ]
  expect(outOfLine(functions, 0, 'tide', 2)).toBe(6)
  expect(outOfLine(functions, 1, 'A', 0)).toBe(65)
})

test('what the function throws arrives', () => {
  const fails = (): never => {
    throw new RangeError('out')
  }
  expect(() => outOfLine([fails], 0, undefined, undefined)).toThrow(new RangeError('out'))
})
