/** Mistakes that the simulation must find, each within a fixed number of seeds. */
import { describe, expect, test } from 'vitest'
import { findBug, plantedBugs } from './bugs/find.ts'

describe('planted mistakes', () => {
  test('there are at least twenty', () => {
    expect(plantedBugs.length).toBeGreaterThanOrEqual(20)
  })

  // The others take many seeds; `npm run sim -- --planted` looks for all of them.
  test.each(plantedBugs.filter(({ budget }) => budget <= 60))(
    '$name',
    async (bug) => {
      expect(await findBug(bug)).toBeDefined()
    },
    60_000,
  )
})
