import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Disk, DiskError } from '../base/env.ts'
import { readFully, removeIfPresent, writeFully } from '../base/disk-io.ts'
import { createNodeDisk, publishByRename } from './node-disk.ts'
import { defaultLockKind } from './node-lock.ts'

let root: string
const disk: Disk = createNodeDisk({ kind: defaultLockKind(), networkFileSystem: 'refuse' })

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'tidemill-disk-'))
})
afterEach(() => {
  vi.restoreAllMocks()
  fs.rmSync(root, { recursive: true, force: true })
})

const at = (name: string) => `${root}/${name}`
const bytes = (text: string) => new TextEncoder().encode(text)

async function put(name: string, text: string): Promise<void> {
  const file = await disk.open(at(name), 'create')
  await writeFully(file, bytes(text), 0)
  await file.close()
}

async function errnoOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DiskError)
  return (error as DiskError).errno
}

describe('files', () => {
  test('are read and written at positions, and a hole reads as zeros', async () => {
    const file = await disk.open(at('a'), 'create')
    expect(await file.pwrite(bytes('hello'), 3)).toBe(5)
    await file.fdatasync()
    const target = new Uint8Array(8)
    expect(await file.pread(target, 0)).toBe(8)
    expect([...target]).toEqual([0, 0, 0, ...bytes('hello')])
    await file.truncate(4)
    expect(await file.size()).toBe(4)
    await file.close()
  })

  test('give a short count only at the end', async () => {
    await put('a', 'abcdef')
    const file = await disk.open(at('a'), 'read')
    const target = new Uint8Array(10)
    expect(await file.pread(target, 4)).toBe(2)
    expect(await file.pread(target, 6)).toBe(0)
    expect(await file.pread(target, 60)).toBe(0)
    expect(await readFully(file, target, 0)).toBe(6)
    await file.close()
  })

  test('close after the calls in flight, refuse calls after that, and may be closed twice', async () => {
    const file = await disk.open(at('a'), 'create')
    const mutable = (fs as unknown as { default: { write: (...args: unknown[]) => void } }).default
    const original = mutable.write
    mutable.write = (...args) => void setTimeout(() => original(...args), 20)
    syncBuiltin()
    const write = file.pwrite(new Uint8Array(1 << 20).fill(7), 0)
    mutable.write = original
    syncBuiltin()
    const closing = file.close()
    expect(await errnoOf(file.size())).toBe('EBADF')
    expect(await write).toBe(1 << 20)
    await closing
    await file.close()
    expect(await errnoOf(file.pwrite(bytes('x'), 0))).toBe('EBADF')
  })

  test('refuse everything but reads after a failed sync', async () => {
    const file = await disk.open(at('a'), 'create')
    await file.pwrite(bytes('abc'), 0)
    const sync = failingSync()
    expect(await errnoOf(file.fdatasync())).toBe('EIO')
    sync.restore()
    expect(await errnoOf(file.fdatasync())).toBe('EIO')
    expect(await errnoOf(file.pwrite(bytes('d'), 3))).toBe('EIO')
    expect(await errnoOf(file.truncate(0))).toBe('EIO')
    expect(await file.pread(new Uint8Array(3), 0)).toBe(3)
    await file.close()
    expect(fs.readFileSync(at('a'), 'utf8')).toBe('abc')
  })
})

/** Every `fdatasync` fails with EIO until `restore`. */
function failingSync(): { restore(): void } {
  const original = fs.fdatasync
  const mutable = fs as unknown as { default: { fdatasync: unknown } }
  const broken = (_fd: number, done: (error: Error) => void) =>
    setImmediate(done, Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }))
  mutable.default.fdatasync = broken
  syncBuiltin()
  return {
    restore() {
      mutable.default.fdatasync = original
      syncBuiltin()
    },
  }
}

function syncBuiltin(): void {
  const module = process.getBuiltinModule('node:module') as typeof import('node:module')
  module.syncBuiltinESMExports()
}

describe('errors', () => {
  test('carry the POSIX code and the path', async () => {
    await put('a', 'x')
    expect(await errnoOf(disk.open(at('none'), 'read'))).toBe('ENOENT')
    expect(await errnoOf(disk.open(at('none'), 'write'))).toBe('ENOENT')
    expect(await errnoOf(disk.open(at('a'), 'create'))).toBe('EEXIST')
    expect(await errnoOf(disk.open(at('a/b'), 'read'))).toBe('ENOTDIR')
    expect(await errnoOf(disk.unlink(at('none')))).toBe('ENOENT')
    expect(await errnoOf(disk.rename(at('none'), at('b')))).toBe('ENOENT')
    expect(await errnoOf(disk.syncDir(at('none')))).toBe('ENOENT')
    expect(await errnoOf(disk.syncDir(at('a')))).toBe('ENOTDIR')
    expect(await errnoOf(disk.open('nul\0byte', 'read'))).toBe('EINVAL')
    const error = await disk.open(at('none'), 'read').catch((reason: DiskError) => reason)
    expect(error).toMatchObject({ errno: 'ENOENT', path: at('none') })
  })

  test('of the system arrive with their code: file size limit', () => {
    const script = `
      import { createNodeEnv } from '${new URL('./node.ts', import.meta.url).href}'
      process.on('SIGXFSZ', () => {})
      const file = await createNodeEnv().disk.open(${JSON.stringify(at('big'))}, 'create')
      const first = await file.pwrite(new Uint8Array(8192), 0)
      const errno = await file.pwrite(new Uint8Array(8192), first).then(() => 'none', (error) => error.errno)
      console.log(JSON.stringify({ first, errno }))`
    const program = at('limit.mjs')
    fs.writeFileSync(program, script)
    const out = execFileSync(
      'bash',
      ['-c', `ulimit -f 4; exec ${process.execPath} --import tsx ${program}`],
      {
        encoding: 'utf8',
      },
    )
    expect(JSON.parse(out)).toEqual({ first: 4096, errno: 'EFBIG' })
  })
})

describe('directories', () => {
  test('are made with their parents, listed in code unit order and synced', async () => {
    await disk.mkdir(at('x/y/z'))
    await disk.mkdir(at('x/y/z'))
    for (const name of ['x/b', 'x/Z', 'x/ä', 'x/a']) await put(name, '')
    expect(await disk.list(at('x'))).toEqual(['Z', 'a', 'b', 'y', 'ä'])
    expect(await disk.list(at('none'))).toEqual([])
    await disk.syncDir(at('x'))
  })

  // Node's own recursive `mkdir` never comes back from there.
  test.runIf(process.platform === 'linux')('are refused where the system makes none', async () => {
    expect(await errnoOf(disk.mkdir('/proc/none'))).toBe('ENOENT')
    expect(await errnoOf(disk.mkdir('/proc/none/below'))).toBe('ENOENT')
  })

  test('are refused where a file is', async () => {
    await put('file', '')
    expect(await errnoOf(disk.mkdir(at('file')))).toBe('EEXIST')
    expect(await errnoOf(disk.mkdir(at('file/below')))).toBe('ENOTDIR')
  })

  test('publish with link: the first wins', async () => {
    await put('one', '1')
    await put('two', '2')
    await disk.link(at('one'), at('published'))
    expect(await errnoOf(disk.link(at('two'), at('published')))).toBe('EEXIST')
    expect(fs.readFileSync(at('published'), 'utf8')).toBe('1')
    await disk.unlink(at('one'))
    expect(fs.readFileSync(at('published'), 'utf8')).toBe('1')
    await disk.mkdir(at('folder'))
    await expect(disk.link(at('folder'), at('moved'))).rejects.toBeInstanceOf(DiskError)
    expect(await disk.list(root)).toEqual(['folder', 'published', 'two'])
  })

  test('publish by renaming where hard links are missing: the first wins and no claim is left', async () => {
    await put('one', '1')
    await put('two', '2')
    const results = await Promise.allSettled([
      publishByRename(at('one'), at('published')),
      publishByRename(at('two'), at('published')),
    ])
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(await errnoOf(publishByRename(at('two'), at('published')))).toBe('EEXIST')
    expect((await disk.list(root)).filter((name) => name.endsWith('.claim'))).toEqual([])
  })

  test('fall back from link to renaming, and the unlink that follows is accepted', async () => {
    await put('one', '1')
    const mutable = (fs as unknown as { default: { link: unknown } }).default
    const original = mutable.link
    mutable.link = (_from: string, _to: string, done: (error: Error) => void) =>
      done(Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' }))
    syncBuiltin()
    try {
      await disk.link(at('one'), at('published'))
    } finally {
      mutable.link = original
      syncBuiltin()
    }
    await disk.unlink(at('one'))
    expect(await errnoOf(disk.unlink(at('one')))).toBe('ENOENT')
    await removeIfPresent(disk, at('one'))
    expect(fs.readFileSync(at('published'), 'utf8')).toBe('1')
  })

  test('stat: identity survives a rename and tells a replacement from the old file', async () => {
    await put('a', 'abc')
    const before = await disk.stat(at('a'))
    expect(before).toMatchObject({ kind: 'file', sizeBytes: 3 })
    await disk.rename(at('a'), at('b'))
    expect((await disk.stat(at('b')))?.identity).toBe(before?.identity)
    await disk.unlink(at('b'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await put('b', 'abc')
    expect((await disk.stat(at('b')))?.identity).not.toBe(before?.identity)
    expect(await disk.stat(at('a'))).toBeUndefined()
    expect((await disk.stat(root))?.kind).toBe('directory')
    expect(await disk.space(root)).toBeGreaterThan(0)
  })
})
