import { describe, expect, it } from 'vitest'
import { findLayerProblems } from './layers.ts'
import { readFiles, type SourceFile } from './source-files.ts'

const file = (path: string, text: string): SourceFile => ({ path, text })

describe('the sources', () => {
  it('keep the four laws of dependency', () => {
    const files = readFiles('src', /\.ts$/)
    expect(files.length).toBeGreaterThan(5)
    expect(findLayerProblems(files)).toEqual([])
  })
})

describe('a planted violation is found', () => {
  const cases: readonly (readonly [string, SourceFile[], string])[] = [
    [
      'a cycle',
      [
        file('src/time/a.ts', "import { type B } from './b.ts'"),
        file('src/time/b.ts', "export const a = import('./a.ts')"),
      ],
      'import cycle src/time/a.ts > src/time/b.ts > src/time/a.ts',
    ],
    [
      'a lower level that imports a higher one',
      [file('src/state/a.ts', "import { x } from '../checkpoint/x.ts'")],
      'state may not import checkpoint',
    ],
    [
      'an operator that imports a checkpoint',
      [file('src/operators/a.ts', "import { x } from '../checkpoint/x.ts'")],
      'operators may not import checkpoint',
    ],
    [
      'a builder that imports what runs plans',
      [file('src/stream/a.ts', "import { x } from '../runtime/x.ts'")],
      'stream may not import runtime',
    ],
    [
      'a runtime that imports the builder',
      [file('src/runtime/a.ts', "import { x } from '../stream/x.ts'")],
      'runtime may not import stream',
    ],
    [
      'an engine folder that imports the platform',
      [file('src/runtime/a.ts', "const x = await import('../platform/node.ts')")],
      'runtime may not import platform',
    ],
    [
      'a platform that knows the engine',
      [file('src/platform/a.ts', "import { x } from '../schema/x.ts'")],
      'platform may not import schema',
    ],
    [
      'Node in the engine',
      [file('src/log/a.ts', "import { open } from 'node:fs'")],
      'imports node:fs',
    ],
    [
      'third-party code in the engine, as a type',
      [file('src/schema/a.ts', "export type S = import('zod').ZodType")],
      'imports zod',
    ],
    [
      'third-party code in the platform',
      [file('src/platform/a.ts', "import x from 'picocolors'")],
      'imports picocolors',
    ],
    [
      'a re-export',
      [file('src/graph/index.ts', "export { plan } from './plan.ts'")],
      're-exports a name',
    ],
    [
      'a re-export in two steps',
      [file('src/graph/a.ts', "import { plan as p } from './plan.ts'\nexport { p as plan }")],
      'src/graph/a.ts:2: re-exports a name',
    ],
    [
      'an entry point of a connector without a client',
      [file('src/connectors/file/index.ts', "export { lines } from './lines.ts'")],
      're-exports a name',
    ],
    [
      'an entry point used from inside',
      [file('src/stream/a.ts', "import { struct } from '../index.ts'")],
      'imports the entry point',
    ],
    [
      'the contract of the plan above level 0',
      [file('src/connectors/contract.ts', "import type { S } from '../state/contract.ts'")],
      'the contract of connectors may not import state',
    ],
    [
      'a folder nobody placed',
      [file('src/misc/a.ts', "import { x } from '../base/x.ts'")],
      'the folder misc has no place',
    ],
  ]
  it.each(cases)('%s', (_what, files, problem) => {
    const problems = findLayerProblems(files)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
  })
})

describe('what the laws allow', () => {
  it('a peer in client.ts, its entry point, Node in the platform, anything in tests', () => {
    const files = [
      file('src/connectors/parquet/client.ts', "import { parquetRead } from 'hyparquet'"),
      file('src/connectors/parquet/index.ts', "export { parquet } from './source.ts'"),
      file('src/connectors/parquet/source.ts', "import { read } from './client.ts'"),
      file('src/platform/node.ts', "import { open } from 'node:fs/promises'"),
      file('src/runtime/task.test.ts', "import { createNodeEnv } from '../platform/node.ts'"),
      file('src/graph/plan.ts', "import type { Source } from '../connectors/contract.ts'"),
      file('src/time/a.ts', "import type { B } from './b.ts'"),
      file('src/time/b.ts', "import { a } from './a.ts'"),
      file('src/index.ts', "export { pipeline } from './stream/pipeline.ts'"),
    ]
    expect(findLayerProblems(files)).toEqual([])
  })
})
