/** The simulated disk against the real one: the same calls, when nothing crashes, must have the same answers. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { type Disk, DiskError, type OpenMode } from '../../base/env.ts'
import { createNodeEnv } from '../../platform/node.ts'
import { createWorld } from './world.ts'

type Step =
  | {
      readonly call: 'use'
      readonly path: string
      readonly mode: OpenMode
      readonly at: number
      readonly bytes: Uint8Array
      readonly cut: number | null
    }
  | { readonly call: 'rename' | 'link'; readonly path: string; readonly to: string }
  | { readonly call: 'unlink' | 'mkdir' | 'list' | 'syncDir' | 'stat'; readonly path: string }

const paths = fc.constantFrom('/a', '/b', '/d', '/d/a', '/d/b', '/e', '/d/e', '/d/e/a')
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constant('use' as const),
      path: paths,
      mode: fc.constantFrom<OpenMode>('read', 'write', 'create', 'create'),
      at: fc.nat(20),
      bytes: fc.uint8Array({ maxLength: 10 }),
      cut: fc.option(fc.nat(30)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constantFrom('rename' as const, 'link' as const),
      path: paths,
      to: paths,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constantFrom(
        'unlink' as const,
        'mkdir' as const,
        'mkdir' as const,
        'list' as const,
        'syncDir' as const,
        'stat' as const,
      ),
      path: paths,
    }),
  },
)

/** The answer of one step as text; removing a directory and its like have codes that differ between systems. */
async function answer(disk: Disk, root: string, step: Step): Promise<string> {
  try {
    return JSON.stringify((await perform(disk, root, step)) ?? 'ok')
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    if (step.call === 'unlink' && (error.errno === 'EPERM' || error.errno === 'EISDIR'))
      return 'is a directory'
    if (step.call === 'link' && (error.errno === 'EPERM' || error.errno === 'EISDIR'))
      return 'is a directory'
    if (error.errno === 'ENOTDIR' || error.errno === 'ENOENT') return 'not there'
    return error.errno
  }
}

async function perform(disk: Disk, root: string, step: Step): Promise<unknown> {
  const path = root + step.path
  switch (step.call) {
    case 'use': {
      const file = await disk.open(path, step.mode)
      try {
        const target = new Uint8Array(40)
        const written = step.mode === 'read' ? 0 : await file.pwrite(step.bytes, step.at)
        if (step.mode !== 'read' && step.cut !== null) await file.truncate(step.cut)
        await file.fdatasync()
        const count = await file.pread(target, 0)
        return [written, await file.size(), [...target.subarray(0, count)]]
      } finally {
        await file.close()
      }
    }
    case 'rename':
      return disk.rename(path, root + step.to)
    case 'link':
      return disk.link(path, root + step.to)
    case 'stat': {
      const stat = await disk.stat(path)
      return stat === undefined ? 'nothing' : [stat.kind, stat.kind === 'file' ? stat.sizeBytes : 0]
    }
    default:
      return disk[step.call](path)
  }
}

const real = createNodeEnv().disk

test.prop([fc.array(steps, { minLength: 1, maxLength: 25 }), fc.nat(1_000)], { numRuns: 150 })(
  'both give the same answers',
  async (program, seed) => {
    const root = fs.mkdtempSync(join(tmpdir(), 'tidemill-twin-'))
    try {
      const expected: string[] = []
      for (const step of program) expected.push(await answer(real, root, step))
      const end = await createWorld({ seed }).run(async ({ disk }) => {
        const found: string[] = []
        for (const step of program) found.push(await answer(disk, '', step))
        return found
      })
      if (end.kind === 'failed') throw end.error
      expect(end).toEqual({ kind: 'done', value: expected })
    } finally {
      fs.rmSync(root, { recursive: true, force: true })
    }
  },
)
