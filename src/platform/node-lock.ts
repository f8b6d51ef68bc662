/**
 * The exclusive lock of a directory, held by a listening socket, so that it ends with the process however that dies.
 *
 * - Linux: an abstract Unix socket named after device and inode. Nothing is left on disk; a stopped owner still holds it.
 * - Windows: a named pipe of that name, with the same properties.
 * - Elsewhere: a socket file in `/tmp`, which survives its owner. Taking over a dead one is a race, so the taker asks
 *   after a pause whether the file still leads to itself.
 *
 * Whoever connects is told the owner as one line of JSON. The lock does not reach across network namespaces or machines;
 * there the generation claim of the state directory fences old owners.
 */
import { createHash, randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import * as net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { DiskError, type DiskLock } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { diskError } from './disk-error.ts'
import { platformErrors } from './errors.ts'

export type LockKind = 'abstract-socket' | 'named-pipe' | 'socket-file'

export interface LockOptions {
  /** How the lock is held; default by operating system. */
  readonly kind: LockKind
  /** Whether directories on a network file system (Linux only) are accepted. */
  readonly networkFileSystem: 'refuse' | 'allow'
}

export function defaultLockKind(): LockKind {
  if (process.platform === 'linux') return 'abstract-socket'
  return process.platform === 'win32' ? 'named-pipe' : 'socket-file'
}

/** The refusal of a lock, with what is known about its holder. */
export class DirectoryBusyError extends DiskError {
  /** What the holder said about itself; `undefined` when it did not answer, e.g. because it is stopped. */
  readonly owner: string | undefined
  readonly ownerPid: number | undefined

  constructor(directory: string, owner: string | undefined, ownerPid: number | undefined) {
    const who = owner ?? (ownerPid === undefined ? 'a process' : `process ${ownerPid}`)
    super(
      'EBUSY',
      directory,
      `in use by ${who}${owner === undefined ? ', which does not answer' : ''}`,
    )
    this.name = 'DirectoryBusyError'
    this.owner = owner
    this.ownerPid = ownerPid
  }
}

export async function lockDirectory(
  directory: string,
  owner: string,
  options: LockOptions,
): Promise<DiskLock> {
  try {
    if (options.networkFileSystem === 'refuse') await refuseNetwork(directory)
    const address = addressOf(await identityOf(directory), options.kind)
    return await take(address, directory, owner, options.kind)
  } catch (error) {
    throw error instanceof TidemillError ? error : diskError(error, 'lock', directory)
  }
}

async function take(
  address: string,
  directory: string,
  owner: string,
  kind: LockKind,
): Promise<DiskLock> {
  const token = randomUUID()
  const held = await listen(address, `${JSON.stringify({ owner, pid: process.pid, token })}\n`)
  if (held !== undefined) return held
  const holder = await ask(address)
  if (kind !== 'socket-file' || holder.state !== 'gone') {
    throw new DirectoryBusyError(directory, holder.owner, holder.pid ?? pidOfSocket(address))
  }
  await fs.promises.rm(address, { force: true })
  const stolen = await listen(address, `${JSON.stringify({ owner, pid: process.pid, token })}\n`)
  await pause(stealPauseMs)
  const now = await ask(address)
  if (stolen !== undefined && now.token === token) return stolen
  if (stolen !== undefined) await stolen.release()
  throw new DirectoryBusyError(directory, now.owner, now.pid)
}

/** Longer than the moment between another starter's probe and its removal of the dead file. */
const stealPauseMs = 100

/** `undefined` when somebody else listens at the address. */
function listen(address: string, answer: string): Promise<DiskLock | undefined> {
  return new Promise((resolve, reject) => {
    const connections = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      connections.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => connections.delete(socket))
      socket.unref()
      socket.end(answer)
    })
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    const release = () =>
      new Promise<void>((done) => {
        server.close(() => done())
        for (const socket of connections) socket.destroy()
      })
    server.listen({ path: address, exclusive: true }, () => {
      server.unref()
      resolve({ release })
    })
  })
}

interface Holder {
  readonly state: 'answered' | 'silent' | 'gone'
  readonly owner?: string
  readonly pid?: number
  readonly token?: string
}

/** A stopped owner accepts connections, in the kernel, but says nothing. */
const answerTimeoutMs = 500

function ask(address: string): Promise<Holder> {
  return new Promise((resolve) => {
    let text = ''
    const socket = net.connect({ path: address })
    const finish = (holder: Holder) => {
      socket.destroy()
      resolve(holder)
    }
    socket.setEncoding('utf8')
    socket.setTimeout(answerTimeoutMs, () => finish({ state: 'silent' }))
    socket.on('data', (chunk: string) => (text = (text + chunk).slice(0, 4096)))
    socket.on('end', () => finish(parseAnswer(text)))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      finish({
        state: error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'gone' : 'silent',
      })
    })
  })
}

function parseAnswer(text: string): Holder {
  try {
    const answer = JSON.parse(text) as { owner?: unknown; pid?: unknown; token?: unknown }
    return {
      state: 'answered',
      ...(typeof answer.owner === 'string' ? { owner: answer.owner } : {}),
      ...(typeof answer.pid === 'number' ? { pid: answer.pid } : {}),
      ...(typeof answer.token === 'string' ? { token: answer.token } : {}),
    }
  } catch {
    return { state: 'silent' } // somebody listens here who is not of our kind
  }
}

async function identityOf(directory: string): Promise<string> {
  const info = await fs.promises.stat(directory, { bigint: true })
  if (!info.isDirectory())
    throw new DiskError('ENOTDIR', directory, 'lock failed (not a directory)')
  return `${info.dev}:${info.ino}`
}

/** Bytes of `sun_path` after the leading NUL of an abstract name. */
const abstractNameBytes = 107

function addressOf(identity: string, kind: LockKind): string {
  const name = `tidemill-lock-${createHash('sha256').update(identity).digest('hex')}`
  if (kind === 'named-pipe') return `\\\\.\\pipe\\${name}`
  if (kind === 'socket-file') return `/tmp/${name.slice(0, 60)}.sock`
  // Filled up: Node versions differ in whether the rest of the field counts as NULs of the name or not at all.
  return `\0${name.padEnd(abstractNameBytes, '.')}`
}

/** Linux: the process that owns an abstract socket, when we may see it; it cannot be asked while it is stopped. */
function pidOfSocket(address: string): number | undefined {
  if (process.platform !== 'linux' || !address.startsWith('\0')) return undefined
  try {
    const name = `@${address.slice(1)}`
    const rows = fs
      .readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
    // Connections that wait to be accepted carry the name as well; only the listening socket has this flag.
    const inode = rows.find((row) => row[7] === name && row[3] === '00010000')?.[6]
    if (inode === undefined) return undefined
    return fs
      .readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .find((pid) => holdsSocket(pid, inode))
  } catch {
    return undefined
  }
}

function holdsSocket(pid: number, inode: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`
    return fs.readdirSync(folder).some((fd) => {
      try {
        return fs.readlinkSync(`${folder}/${fd}`) === `socket:[${inode}]`
      } catch {
        return false
      }
    })
  } catch {
    return false // another user's process, or one that has just ended
  }
}

/** `statfs` types from the kernel's headers. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x47504653, 'GPFS'],
])

async function refuseNetwork(directory: string): Promise<void> {
  if (process.platform !== 'linux') return
  const { type } = await fs.promises.statfs(directory)
  const name = networkTypeName(type)
  if (name === undefined) return
  throw new TidemillError(platformErrors.networkFileSystem, {
    message: `${directory} is on ${name}`,
    details: { file: directory, fileSystem: name },
  })
}

/** The network file system of this `statfs` type, `undefined` for a local one. */
export function networkTypeName(type: number): string | undefined {
  return networkTypes.get(type >>> 0)
}
