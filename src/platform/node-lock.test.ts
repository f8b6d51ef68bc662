import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  DirectoryBusyError,
  defaultLockKind,
  type LockKind,
  lockDirectory,
  networkTypeName,
} from './node-lock.ts'

let directory: string
const children: ChildProcess[] = []

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'tidemill-lock-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  fs.rmSync(directory, { recursive: true, force: true })
})

const lock = (owner: string, kind: LockKind = defaultLockKind()) =>
  lockDirectory(directory, owner, { kind, networkFileSystem: 'refuse' })

/** A process that takes the lock and keeps it; resolves to what it printed first: `held` or the refusal. */
async function holder(
  owner: string,
  kind: LockKind,
): Promise<{ child: ChildProcess; said: string }> {
  const script = `
    import { lockDirectory } from '${new URL('./node-lock.ts', import.meta.url).href}'
    const options = { kind: '${kind}', networkFileSystem: 'refuse' }
    lockDirectory(${JSON.stringify(directory)}, '${owner}', options)
      .then(() => console.log('held'), (error) => console.log(error.message))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
    child.once('exit', (code) => reject(new Error(`holder ended with ${code}`)))
  })
  return { child, said }
}

const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve))

const kinds: readonly LockKind[] =
  process.platform === 'win32'
    ? ['named-pipe']
    : process.platform === 'linux'
      ? ['abstract-socket', 'socket-file']
      : ['socket-file']

describe.each(kinds)('a lock by %s', (kind) => {
  test('is refused to a second owner in the same process, and free after release', async () => {
    const first = await lock('first', kind)
    await expect(lock('second', kind)).rejects.toMatchObject({
      errno: 'EBUSY',
      owner: 'first',
      ownerPid: process.pid,
    })
    await first.release()
    await (await lock('second', kind)).release()
  })

  test('names the owner in another process; SIGSTOP does not free it, SIGKILL does', async () => {
    const { child, said } = await holder('job "a" of host b', kind)
    expect(said).toBe('held')
    const refused = await lock('me', kind).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(DirectoryBusyError)
    expect((refused as Error).message).toContain('in use by job "a" of host b')

    child.kill('SIGSTOP')
    const stopped = await lock('me', kind).catch((error: unknown) => error)
    expect(stopped).toBeInstanceOf(DirectoryBusyError)
    expect((stopped as Error).message).toContain('does not answer')
    if (kind === 'abstract-socket') expect((stopped as DirectoryBusyError).ownerPid).toBe(child.pid)

    const gone = ended(child)
    child.kill('SIGKILL')
    await gone
    await (await lock('me', kind)).release()
  }, 30_000)

  test('goes to exactly one of several processes that start at once', async () => {
    const all = await Promise.all(['p1', 'p2', 'p3'].map((owner) => holder(owner, kind)))
    expect(all.map(({ said }) => said).filter((said) => said === 'held')).toHaveLength(1)
  }, 30_000)
})

test('different directories have different locks; the path does not matter, the directory does', async () => {
  fs.mkdirSync(join(directory, 'x'))
  fs.symlinkSync(join(directory, 'x'), join(directory, 'y'))
  const options = { kind: defaultLockKind(), networkFileSystem: 'refuse' } as const
  const whole = await lock('whole')
  const x = await lockDirectory(join(directory, 'x'), 'x', options)
  await expect(lockDirectory(join(directory, 'y'), 'y', options)).rejects.toMatchObject({
    errno: 'EBUSY',
    owner: 'x',
  })
  await x.release()
  await whole.release()
})

test('what is no directory cannot be locked', async () => {
  fs.writeFileSync(join(directory, 'file'), '')
  const options = { kind: defaultLockKind(), networkFileSystem: 'refuse' } as const
  await expect(lockDirectory(join(directory, 'none'), 'o', options)).rejects.toMatchObject({
    errno: 'ENOENT',
  })
  await expect(lockDirectory(join(directory, 'file'), 'o', options)).rejects.toMatchObject({
    errno: 'ENOTDIR',
  })
})

test('network file systems are told from local ones', () => {
  expect(networkTypeName(0x6969)).toBe('NFS')
  expect(networkTypeName(0xff534d42)).toBe('CIFS')
  expect(networkTypeName(0xff534d42 | 0)).toBe('CIFS') // a signed field on some architectures
  expect(networkTypeName(0xef53)).toBeUndefined()
})
