import { describe, expect, test } from 'vitest'
import { readFully, readWhole, writeFully, writeNew } from '../../base/disk-io.ts'
import { type Disk, DiskError, type Env } from '../../base/env.ts'
import { crc32 } from '../../base/crc32.ts'
import type { CrashKind } from './life-state.ts'
import { calmProfile } from './profile.ts'
import { createWorld, type World } from './world.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined) =>
  content === undefined ? undefined : new TextDecoder().decode(content)

/** Runs a program that must end by itself. */
async function within<Result>(
  world: World,
  program: (disk: Disk, env: Env) => Promise<Result>,
): Promise<Result> {
  const end = await world.run((env) => program(env.disk, env))
  if (end.kind !== 'done') throw end.kind === 'failed' ? end.error : new Error(end.kind)
  return end.value
}

async function errnoOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DiskError)
  return (error as DiskError).errno
}

/** Contents of a path in many worlds that ran the same program and then crashed. */
async function outcomes(
  kind: CrashKind,
  path: string,
  program: (disk: Disk) => Promise<void>,
  seeds: number = 60,
): Promise<Set<string>> {
  const found = new Set<string>()
  for (let seed = 0; seed < seeds; seed++) {
    const world = createWorld({ seed })
    await within(world, program)
    world.crash(kind)
    found.add(await within(world, async (disk) => text(await readWhole(disk, path)) ?? 'absent'))
  }
  return found
}

describe('files and directories', () => {
  test('behave like a real disk', async () => {
    await within(createWorld({ seed: 1 }), async (disk) => {
      await disk.mkdir('/a/b')
      await disk.mkdir('a/b')
      await writeNew(disk, '/a/b/one', bytes('hello'))
      const file = await disk.open('/a/b/one', 'write')
      expect(await file.pwrite(bytes('!'), 7)).toBe(1)
      const target = new Uint8Array(20)
      expect(await readFully(file, target, 0)).toBe(8)
      expect(text(target.subarray(0, 8))).toBe('hello\0\0!')
      await file.truncate(2)
      await file.truncate(4)
      expect(text(await readWhole(disk, '/a/./b/../b/one'))).toBe('he\0\0')
      expect(await file.size()).toBe(4)
      await file.close()
      await file.close()
      const before = await disk.stat('/a/b/one')
      await disk.link('/a/b/one', '/a/two')
      await disk.rename('/a/b/one', '/a/three')
      expect((await disk.stat('/a/three'))?.identity).toBe(before?.identity)
      await writeNew(disk, '/a/Z', bytes(''))
      expect(await disk.list('/a')).toEqual(['Z', 'b', 'three', 'two'])
      expect(await disk.list('/a/b')).toEqual([])
      expect(await disk.list('/none')).toEqual([])
      await disk.rename('/a/Z', '/a/two')
      expect((await disk.stat('/a/two'))?.sizeBytes).toBe(0)
      expect((await disk.stat('/a'))?.kind).toBe('directory')
      expect(await disk.space('/')).toBeGreaterThan(1e9)
    })
  })

  test('refuse with the codes of POSIX', async () => {
    await within(createWorld({ seed: 1 }), async (disk) => {
      await disk.mkdir('/d/e')
      await writeNew(disk, '/f', bytes('x'))
      expect(await errnoOf(disk.open('/none', 'read'))).toBe('ENOENT')
      expect(await errnoOf(disk.open('/none/f', 'create'))).toBe('ENOENT')
      expect(await errnoOf(disk.open('/f/g', 'create'))).toBe('ENOTDIR')
      expect(await errnoOf(disk.open('/f', 'create'))).toBe('EEXIST')
      expect(await errnoOf(disk.open('/d', 'read'))).toBe('EISDIR')
      expect(await errnoOf(disk.link('/f', '/d'))).toBe('EEXIST')
      expect(await errnoOf(disk.unlink('/none'))).toBe('ENOENT')
      expect(await errnoOf(disk.rename('/none', '/g'))).toBe('ENOENT')
      expect(await errnoOf(disk.rename('/d', '/d/e/x'))).toBe('EINVAL')
      expect(await errnoOf(disk.rename('/f', '/d'))).toBe('EISDIR')
      await writeNew(disk, '/d/e/x', bytes('x'))
      expect(await errnoOf(disk.rename('/d/e/x', '/d'))).toBe('ENOTEMPTY')
      expect(await errnoOf(disk.rename('/d/e/x', '/d/e'))).toBe('ENOTEMPTY')
      expect(await errnoOf(disk.syncDir('/none'))).toBe('ENOENT')
      expect(await errnoOf(disk.mkdir('/f/g'))).toBe('ENOTDIR')
      expect(await errnoOf(disk.list('/f'))).toBe('ENOTDIR')
      const file = await disk.open('/f', 'read')
      expect(await errnoOf(file.pwrite(bytes('y'), 0))).toBe('EBADF')
      await file.close()
      expect(await errnoOf(file.size())).toBe('EBADF')
    })
  })

  test('a buffer that is changed before its write is done is stored changed', async () => {
    await within(createWorld({ seed: 1 }), async (disk) => {
      const buffer = bytes('first')
      const file = await disk.open('/f', 'create')
      const writing = file.pwrite(buffer, 0)
      buffer.set(bytes('FIRST'))
      await writing
      expect(text(await readWhole(disk, '/f'))).toBe('FIRST')
    })
  })

  test('locks exclude, name their owner, and end with the process', async () => {
    const world = createWorld({ seed: 1 })
    world.disk.write('/state/x', bytes(''))
    const holder = world.start(async ({ disk, clock }) => {
      await disk.lock('/state', 'job one')
      await clock.sleep(1e6)
    })
    await world.advance(10)
    const refusal = () =>
      within(world, async (disk) =>
        disk.lock('/state', 'two').then(
          () => 'held',
          (error: Error) => error.message,
        ),
      )
    expect(await refusal()).toBe('EBUSY: in use by job one, /state')
    holder.pause()
    expect(await refusal()).toContain('does not answer')
    world.crash('kill', holder)
    expect(await refusal()).toBe('held')
    await within(world, async (disk) => {
      const lock = await disk.lock('/state', 'three')
      await lock.release()
      await (await disk.lock('/state', 'four')).release()
      expect(await errnoOf(disk.lock('/none', 'five'))).toBe('ENOENT')
    })
  })
})

describe('crashes', () => {
  const written = async (disk: Disk) => {
    const file = await disk.open('/f', 'create')
    await file.pwrite(bytes('durable|'), 0)
    await file.fdatasync()
    await disk.syncDir('/')
    await file.pwrite(bytes('cached'), 8)
  }

  test('a kill keeps the page cache', async () => {
    expect(await outcomes('kill', '/f', written)).toEqual(new Set(['durable|cached']))
  })

  test('a power cut keeps what was synced, and each other write whole, cut, as zeros or not at all', async () => {
    const found = await outcomes('power', '/f', written)
    for (const content of found)
      expect(content).toMatch(/^durable\|(cached|cache|cach|cac|ca|c|\0{6})?$/)
    expect(found).toContain('durable|cached')
    expect(found).toContain('durable|')
    expect(found).toContain('durable|\0\0\0\0\0\0')
    expect([...found].some((content) => /\|c.{0,4}$/.test(content))).toBe(true)
  })

  test('un-synced writes survive independently of their order', async () => {
    const found = await outcomes('power', '/f', async (disk) => {
      const file = await disk.open('/f', 'create')
      await disk.syncDir('/')
      await file.pwrite(bytes('A'), 0)
      await file.pwrite(bytes('B'), 1)
    })
    expect(found).toContain('\0B')
    expect(found).toContain('A')
    expect(found).toContain('AB')
    expect(found).toContain('')
  })

  test('a file whose directory was never synced may vanish', async () => {
    const found = await outcomes('power', '/f', (disk) => writeNew(disk, '/f', bytes('synced')))
    expect(found).toEqual(new Set(['synced', 'absent']))
    const deep = await outcomes('power', '/d/f', async (disk) => {
      await disk.mkdir('/d')
      await writeNew(disk, '/d/f', bytes('synced'))
      await disk.syncDir('/d')
    })
    expect(deep).toEqual(new Set(['synced', 'absent']))
  })

  test('directory operations survive as a prefix, and a rename is never half done', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const world = createWorld({ seed })
      await within(world, async (disk) => {
        await disk.mkdir('/a')
        await disk.mkdir('/b')
        await disk.syncDir('/')
        for (const name of ['1', '2', '3']) await writeNew(disk, `/a/${name}`, bytes(name))
        await disk.syncDir('/a')
        await writeNew(disk, '/a/4', bytes('4'))
        await disk.rename('/a/1', '/b/1')
        await disk.rename('/a/2', '/a/two')
        await disk.unlink('/a/3')
      })
      world.crash('power')
      const files = world.disk.files().map(({ path }) => path)
      const has = (path: string) => files.includes(path)
      expect(has('/a/1') || has('/b/1')).toBe(true)
      expect(has('/a/2')).not.toBe(has('/a/two'))
      if (!has('/a/3')) expect(has('/a/two')).toBe(true)
      if (has('/a/two')) expect(has('/a/1')).toBe(false)
      if (!has('/a/1')) expect(has('/a/4')).toBe(true)
      for (const { path } of world.disk.files())
        expect(text(world.disk.read(path))).toMatch(/^[1234]$/)
    }
  })

  test('a rename between directories is whole when only the source directory was synced', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = createWorld({ seed })
      await within(world, async (disk) => {
        await disk.mkdir('/a')
        await disk.mkdir('/b')
        await disk.syncDir('/')
        await writeNew(disk, '/a/1', bytes('1'))
        await disk.syncDir('/a')
        await disk.rename('/a/1', '/b/1')
        await disk.syncDir('/a')
      })
      world.crash('power')
      expect(world.disk.files().map(({ path }) => path)).toEqual(['/b/1'])
    }
  })

  test('a directory sync does not cover what comes during it', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const world = createWorld({ seed })
      const order: string[] = []
      await within(world, async (disk) => {
        const note = (name: string) => () => void order.push(name)
        await Promise.all([
          disk.syncDir('/').then(note('sync')),
          disk.open('/f', 'create').then(note('open')),
        ])
      })
      world.crash('power')
      if (order[0] === 'open') found.add(world.disk.files().length === 0 ? 'absent' : '')
    }
    expect(found).toEqual(new Set(['', 'absent']))
  })

  test('a rename over a file without a sync may leave nothing of either under the name', async () => {
    const found = await outcomes('power', '/f', async (disk) => {
      await writeNew(disk, '/f', bytes('old'))
      await disk.syncDir('/')
      const file = await disk.open('/new', 'create')
      await writeFully(file, bytes('new'), 0)
      await disk.rename('/new', '/f')
    })
    expect(found).toContain('old')
    expect(found).toContain('new')
    expect(found).toContain('')
  })

  test('a call in flight when its process dies may be done wholly, partly or not at all', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const world = createWorld({ seed })
      const life = world.start(async ({ disk, clock }) => {
        const file = await disk.open('/f', 'create')
        void file.pwrite(bytes('0123456789'), 0)
        world.crash('kill', life)
        await clock.sleep(1)
      })
      expect((await life.end()).kind).toBe('crashed')
      found.add(text(world.disk.read('/f')) ?? '')
    }
    expect(found).toContain('')
    expect(found).toContain('0123456789')
    expect([...found].some((content) => content.length > 0 && content.length < 10)).toBe(true)
    for (const content of found) expect('0123456789'.startsWith(content)).toBe(true)
  })

  test('a sync covers the writes before it, not those that come during it', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = createWorld({ seed })
      await within(world, async (disk) => {
        const file = await disk.open('/f', 'create')
        await file.pwrite(bytes('A'), 0)
        await Promise.all([file.fdatasync(), file.pwrite(bytes('B'), 1)])
      })
      expect(world.disk.files()).toEqual([
        { path: '/f', sizeBytes: 2, durableBytes: 1, unsynced: 1 },
      ])
    }
  })

  test('two crashes in a row leave what one would: the result of a power cut is durable', async () => {
    const world = createWorld({ seed: 3 })
    await within(world, written)
    world.crash('power')
    const after = world.disk.read('/f')
    world.crash('power')
    expect(world.disk.read('/f')).toEqual(after)
  })
})

describe('faults', () => {
  test('a failed sync is reported once, loses its pages, and the next one lies', async () => {
    const world = createWorld({ seed: 1 })
    world.disk.inject({
      call: 'fdatasync',
      path: '/f',
      nth: 2,
      effect: { kind: 'fail', errno: 'EIO' },
    })
    await within(world, async (disk) => {
      const file = await disk.open('/f', 'create')
      await disk.syncDir('/')
      await file.pwrite(bytes('one'), 0)
      await file.fdatasync()
      await file.pwrite(bytes('two'), 3)
      expect(await errnoOf(file.fdatasync())).toBe('EIO')
      await file.fdatasync()
      expect(text(await readWhole(disk, '/f'))).toBe('onetwo')
    })
    expect(world.disk.files()).toEqual([{ path: '/f', sizeBytes: 6, durableBytes: 3, unsynced: 0 }])
    world.disk.evict('/f')
    expect(text(world.disk.read('/f'))).toBe('one')
    world.crash('power')
    expect(text(world.disk.read('/f'))).toBe('one')
  })

  test('any call fails at its planned hits, by path and number', async () => {
    const world = createWorld({ seed: 1 })
    const enospc = world.disk.inject({
      call: ['pwrite', 'open'],
      path: /\.log$/,
      nth: 2,
      times: 2,
      effect: { kind: 'fail', errno: 'ENOSPC' },
    })
    await within(world, async (disk) => {
      const log = await disk.open('/a.log', 'create')
      const other = await disk.open('/a.txt', 'create')
      await other.pwrite(bytes('x'), 0)
      expect(await errnoOf(log.pwrite(bytes('x'), 0))).toBe('ENOSPC')
      expect(await errnoOf(disk.open('/b.log', 'create'))).toBe('ENOSPC')
      expect(enospc.hits).toBe(2)
      expect(await log.pwrite(bytes('x'), 0)).toBe(1)
      const calls: (() => Promise<unknown>)[] = [
        () => disk.rename('/a.txt', '/b.txt'),
        () => disk.link('/a.txt', '/b.txt'),
        () => disk.unlink('/a.txt'),
        () => disk.mkdir('/d'),
        () => disk.list('/'),
        () => disk.syncDir('/'),
        () => disk.stat('/'),
        () => disk.space('/'),
        () => disk.lock('/', 'o'),
        () => log.pread(new Uint8Array(1), 0),
        () => log.truncate(0),
        () => log.size(),
      ]
      const sticky = world.disk.inject({
        times: Number.POSITIVE_INFINITY,
        effect: { kind: 'fail', errno: 'EMFILE' },
      })
      for (const call of calls) expect(await errnoOf(call())).toBe('EMFILE')
      sticky.remove()
      expect(await disk.list('/')).toEqual(['a.log', 'a.txt'])
    })
  })

  test('short writes, and a full disk that takes what fits', async () => {
    const world = createWorld({ seed: 1 })
    await within(world, async (disk) => {
      const file = await disk.open('/f', 'create')
      world.disk.inject({ call: 'pwrite', effect: { kind: 'short', bytes: 2 } })
      expect(await file.pwrite(bytes('abcdef'), 0)).toBe(2)
      world.disk.capacityBytes = 5
      expect(await file.pwrite(bytes('cdef'), 2)).toBe(3)
      expect(await disk.space('/')).toBe(0)
      expect(await errnoOf(file.pwrite(bytes('f'), 5))).toBe('ENOSPC')
      expect(await file.pwrite(bytes('ABC'), 0)).toBe(3)
      await file.truncate(1)
      expect(await disk.space('/')).toBe(4)
      expect(text(world.disk.read('/f'))).toBe('A')
    })
  })

  test('too many open files, in this process only', async () => {
    const world = createWorld({ seed: 1 })
    world.disk.write('/f', bytes('x'))
    world.disk.openFilesMax = 2
    await within(world, async (disk) => {
      const first = await disk.open('/f', 'read')
      await disk.open('/f', 'read')
      expect(await errnoOf(disk.open('/f', 'read'))).toBe('EMFILE')
      await first.close()
      await disk.open('/f', 'read')
    })
    await within(world, async (disk) => void (await disk.open('/f', 'read')))
  })

  test('slow calls, wrong bits, misdirected writes, crashes at a call', async () => {
    const world = createWorld({ seed: 1 })
    world.disk.write('/f', bytes('AAAA'))
    await within(world, async (disk, { clock }) => {
      const file = await disk.open('/f', 'write')
      world.disk.inject({ call: 'pread', effect: { kind: 'delay', ms: 5_000 } })
      const before = clock.monoMs()
      await file.pread(new Uint8Array(4), 0)
      expect(clock.monoMs() - before).toBeGreaterThan(5_000)
      world.disk.inject({ call: 'pread', effect: { kind: 'flip', bit: 1 } })
      const target = new Uint8Array(4)
      await file.pread(target, 0)
      expect(text(target)).toBe('CAAA')
      await file.pread(target, 0)
      expect(text(target)).toBe('AAAA')
      world.disk.inject({ call: 'pwrite', effect: { kind: 'misdirect', byBytes: 2 } })
      await file.pwrite(bytes('B'), 0)
      await file.fdatasync()
      expect(text(await readWhole(disk, '/f'))).toBe('AABA')
    })
    world.disk.inject({ call: 'stat', nth: 2, effect: { kind: 'crash', crash: 'power' } })
    const end = await world.run(async ({ disk }) => {
      await disk.stat('/f')
      await disk.stat('/f')
    })
    expect(end).toMatchObject({ kind: 'crashed', crash: 'power', at: 'fault at stat /f' })
  })

  test('random ones follow the rates of the profile and stop with them', async () => {
    const faults = {
      ...calmProfile.faults,
      error: 0.3,
      shortWrite: 0.3,
      slow: 0.1,
      slowMs: 10,
      readFlip: 0.2,
    }
    const world = createWorld({ seed: 9, profile: { ...calmProfile, faults } })
    world.disk.write('/f', bytes('x'.repeat(64)))
    const attempt = () =>
      within(world, async (disk) => {
        const counts = { failed: 0, short: 0, flipped: 0 }
        for (let i = 0; i < 200; i++) {
          try {
            const file = await disk.open('/f', 'write')
            if ((await file.pwrite(bytes('x'.repeat(64)), 0)) < 64) counts.short++
            const target = new Uint8Array(64)
            await file.pread(target, 0)
            if (text(target) !== 'x'.repeat(64)) counts.flipped++
          } catch {
            counts.failed++
          }
        }
        return counts
      })
    const { failed, short, flipped } = await attempt()
    expect(Math.min(failed, short, flipped)).toBeGreaterThan(5)
    world.setFaults(false)
    expect(await attempt()).toEqual({ failed: 0, short: 0, flipped: 0 })
  })
})

test('from outside, files are listed, replaced, corrupted and removed, durably', () => {
  const world = createWorld({ seed: 1 })
  world.disk.write('/a/b/f', bytes('abc'))
  world.disk.write('/a/g', bytes('g'))
  world.crash('power')
  expect(world.disk.files()).toEqual([
    { path: '/a/b/f', sizeBytes: 3, durableBytes: 3, unsynced: 0 },
    { path: '/a/g', sizeBytes: 1, durableBytes: 1, unsynced: 0 },
  ])
  const checksum = crc32(world.disk.read('/a/b/f'))
  world.disk.corrupt('/a/b/f', 9)
  expect(crc32(world.disk.read('/a/b/f'))).not.toBe(checksum)
  world.crash('power')
  expect(text(world.disk.read('/a/b/f'))).toBe('a`c')
  expect(() => world.disk.corrupt('/a/b/f', 24)).toThrow('has no bit 24')
  world.disk.write('/a/b/f', bytes('older'))
  world.disk.remove('/a/g')
  world.crash('power')
  expect(world.disk.files().map(({ path }) => path)).toEqual(['/a/b/f'])
  expect(text(world.disk.read('/a/b/f'))).toBe('older')
})
