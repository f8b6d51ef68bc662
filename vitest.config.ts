import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './tools/longest-first.ts'
import { plainSummary } from './tools/plain-summary.ts'

const inRoot = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Longest first: an alias also matches everything that begins with it and a slash.
    alias: [
      { find: 'tidemill/testing', replacement: inRoot('./src/testing/index.ts') },
      { find: 'tidemill/parquet', replacement: inRoot('./src/connectors/parquet/index.ts') },
      { find: 'tidemill', replacement: inRoot('./src/index.ts') },
    ],
  },
  test: {
    include: ['{src,test,tools,bin,benchmarks,examples}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/.tidemill/**'],
    setupFiles: [inRoot('./tools/property-seed.ts')],
    // Forks, not threads: tests of the platform use signals, exit codes and worker threads of their own.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 5_000,
    reporters: ['default', plainSummary()],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], exclude: ['src/**/*.test.ts'] },
  },
})
