import { expect, test } from 'vitest'
import { readsFieldsOnly } from './views.ts'

interface Row {
  readonly a: number
}

test('a function that may read its row after it has returned gets a plain row', () => {
  expect(readsFieldsOnly((row: Row) => row.a)).toBe(true)
  expect(readsFieldsOnly((row: Row) => ({ later: () => row.a }))).toBe(false)
  expect(readsFieldsOnly((row: Row) => ({ all: { ...row } }))).toBe(false)
})
