/** The order of test files: whole jobs and processes before the rest, so that no long file is alone at the end. */
import { relative } from 'node:path/posix'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { repositoryRoot } from './source-files.ts'

const longest = [
  'test/simulation/',
  'test/e2e/',
  'benchmarks/',
  'src/cli/',
  'examples/',
  'src/runtime/',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((a, b) => rank(a.moduleId) - rank(b.moduleId))
  }
}

function rank(moduleId: string): number {
  const path = relative(repositoryRoot, moduleId)
  const found = longest.findIndex((folder) => path.startsWith(folder))
  return found === -1 ? longest.length : found
}
