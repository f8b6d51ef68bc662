/**
 * The determinism seam: everything the engine wants from the outside world, as interfaces.
 *
 * `platform/node.ts` implements them with Node, `testing/world/` with a seeded simulation (virtual time, a disk
 * that tears and loses writes, crashes at named points). Nothing else may touch clocks, randomness, timers or files.
 */

/** The real machine or a simulated one. One `Env` is one life of one process. */
export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly tasks: Tasks
  readonly host: Host
}

export interface Clock {
  /** Wall clock in epoch milliseconds. For people, ingest time stamps and processing time; it may jump. */
  wallMs(): number
  /** Monotonic milliseconds, fractional. Time-outs, leases, back-off and intervals use this one. */
  monoMs(): number
  /** Resolves after `ms` of monotonic time, or rejects with the signal's reason. Splits delays over 2^31 ms. */
  sleep(ms: number, signal?: AbortSignalLike): Promise<void>
  /** Calls `fn` once after `ms` of monotonic time unless cancelled. Does not keep a process alive by itself. */
  timer(ms: number, fn: () => void): TimerHandle
}

export interface TimerHandle {
  cancel(): void
}

/** The part of the platform's `AbortSignal` that the engine uses. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export interface Random {
  /** A uniform unsigned 32-bit integer. */
  u32(): number
  /** Uniform in [0, 1) with 53 bits. */
  float(): number
  bytes(count: number): Uint8Array
  /** An independent stream of this name: one more draw here does not shift the others. */
  stream(name: string): Random
}

export type OpenMode =
  /** Must exist, read only. */
  | 'read'
  /** Must exist, read and write. */
  | 'write'
  /** Must not exist (`EEXIST` otherwise), read and write. */
  | 'create'

/**
 * Positional files and directories, nothing else. Paths use `/`. Errors are {@link DiskError} with a POSIX code in
 * `errno` (`ENOENT`, `EEXIST`, `ENOSPC`, `EIO`, ...).
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Replaces an existing target. Durable only after `syncDir` of both parents. */
  rename(from: string, to: string): Promise<void>
  /** A second name for a file; fails with `EEXIST` when `to` exists. This is publish-if-absent. */
  link(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Creates the directory and its missing parents; no error when it exists. */
  mkdir(path: string): Promise<void>
  /** Names (not paths) of the entries, sorted by code unit; `[]` when the directory does not exist. */
  list(path: string): Promise<readonly string[]>
  /** Makes creations, renames and removals in this directory durable. */
  syncDir(path: string): Promise<void>
  /** `undefined` when nothing has this name. */
  stat(path: string): Promise<FileStat | undefined>
  /** Bytes that may still be written to the file system holding `path`. */
  space(path: string): Promise<number>
  /**
   * Takes the exclusive lock of a directory. The lock dies with the process, also after SIGKILL. Rejects with
   * `errno` `EBUSY` while another owner lives; `owner` text of the holder is in the message when it is known.
   */
  lock(directory: string, owner: string): Promise<DiskLock>
}

export interface DiskFile {
  /** Reads up to `target.length` bytes; fewer only at the end of the file. Resolves to the count. */
  pread(target: Uint8Array, position: number): Promise<number>
  /** Writes some bytes and resolves to how many: callers loop (see `writeFully` in `base/disk-io.ts`). */
  pwrite(source: Uint8Array, position: number): Promise<number>
  /** After a rejection the file is poisoned: no second sync, no more writes, only `close`. */
  fdatasync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** Identity that survives a rename and tells a replaced file from the old one. */
  readonly identity: string
}

export interface DiskLock {
  release(): Promise<void>
}

/** An operating system error of the disk; never shown to users as it is, callers wrap it with a code. */
export class DiskError extends Error {
  readonly errno: string
  readonly path: string

  constructor(errno: string, path: string, detail: string) {
    super(`${errno}: ${detail}, ${path}`)
    this.name = 'DiskError'
    this.errno = errno
    this.path = path
  }
}

export interface Tasks {
  /** Lets other work of this thread run: pending I/O, messages, timers. */
  yield(): Promise<void>
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

export interface Host {
  readonly pid: number
  readonly hostName: string
  readonly cpus: number
  readonly operatingSystem: 'linux' | 'macos' | 'windows' | 'other'
  /** Changes at every boot of the machine; tells a restart after SIGKILL from a power cut. */
  readonly bootId: string
  /** Environment variables, read once at start. */
  env(name: string): string | undefined
  /** Bytes of resident memory. */
  memoryBytes(): number
  exit(code: number): void
  /** Calls `fn` at every such signal; the returned function removes the handler. */
  onSignal(name: 'SIGTERM' | 'SIGINT', fn: () => void): () => void
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void
  /** Text to standard output, in order. Resolves when the stream took it. */
  writeOut(text: string): Promise<void>
  /**
   * A named place where a crash matters. Does nothing in a release build; the simulator may end the process here,
   * and then this call throws an object that no code may catch and keep.
   */
  crashPoint(name: CrashPoint): void
}

/** Every crash point in the code, in the order of the parts. A tidy test compares this list with the calls. */
export const crashPoints = [
  'log.append.before',
  'log.append.half',
  'log.append.written',
  'log.sync.done',
  'log.roll.create',
  'log.roll.header',
  'log.roll.publish',
  'log.roll.dirsync',
  'log.index.write',
  'log.retain.recorded',
  'log.retain.unlinked',
  'log.compact.written',
  'log.compact.swapped',
  'log.compact.cleaned',
  'source.read',
  'source.position',
  'source.barrier',
  'op.barrier.first',
  'op.freeze',
  'op.capture',
  'op.slice.write',
  'op.data.sync',
  'op.data.publish',
  'op.data.dirsync',
  'op.ack',
  'timer.fired',
  'coord.trigger',
  'coord.ack.first',
  'coord.ack.last',
  'coord.manifest.temp',
  'coord.manifest.sync',
  'coord.manifest.publish',
  'coord.manifest.dirsync',
  'coord.notify.before',
  'coord.notify.after',
  'coord.readback',
  'coord.retire',
  'sink.begin',
  'sink.write',
  'sink.prepare.write',
  'sink.prepare.sync',
  'sink.commit.sent',
  'sink.commit.local',
  'sink.marker',
  'sink.abort',
  'recover.manifest',
  'recover.verify',
  'recover.log.cut',
  'recover.log.copied',
  'recover.load',
  'recover.abort',
  'recover.recommit',
  'recover.positions',
  'recover.first.output',
  'own.lock',
  'own.claim',
  'own.seal',
  'own.release',
] as const

export type CrashPoint = (typeof crashPoints)[number]
