/** Whole commands of the benchmarks, at sizes that show only that they run and find their results right. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: { ...base.test, include: ['benchmarks/**/*.smoke.ts'] },
})
