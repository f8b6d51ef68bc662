/** The real machine: {@link Env} over Node. The only folder that may import `node:*` or read clocks and randomness. */
import { randomBytes } from 'node:crypto'
import type { Env, LogLevel, Random } from '../base/env.ts'
import { createNodeClock, createNodeTasks } from './node-clock.ts'
import { installNativeAscii } from './node-ascii.ts'
import { installNativeCrc32 } from './node-crc32.ts'
import { createNodeDisk } from './node-disk.ts'
import { createNodeHost } from './node-host.ts'
import { tuneInlining } from './node-inlining.ts'
import { defaultLockKind, type LockKind } from './node-lock.ts'
import { createSeededRandom } from './random.ts'

export interface NodeEnvOptions {
  /** Default `info`. */
  readonly logLevel?: LogLevel
  /** Default `auto`: text when standard error is a terminal, else JSON lines. */
  readonly logFormat?: 'auto' | 'json' | 'text'
  /** Default `refuse`: locking a directory on a network file system throws TM2050. */
  readonly networkFileSystem?: 'refuse' | 'allow'
  /** Default by operating system; for tests. */
  readonly lockKind?: LockKind
}

/** The surroundings of this process (or worker thread). Call it once at start. */
export function createNodeEnv(options: NodeEnvOptions = {}): Env {
  installNativeCrc32()
  installNativeAscii()
  tuneInlining()
  return {
    clock: createNodeClock(),
    random: createNodeRandom(),
    disk: createNodeDisk({
      kind: options.lockKind ?? defaultLockKind(),
      networkFileSystem: options.networkFileSystem ?? 'refuse',
    }),
    tasks: createNodeTasks(),
    host: createNodeHost({
      logLevel: options.logLevel ?? 'info',
      logFormat: options.logFormat ?? 'auto',
    }),
  }
}

/** Numbers from a generator seeded once by the system; bytes always from the system, fit for secrets. */
function createNodeRandom(): Random {
  return withSystemBytes(createSeededRandom(randomBytes(16).toString('hex')))
}

function withSystemBytes(random: Random): Random {
  const streams = new Map<string, Random>()
  return {
    u32: () => random.u32(),
    float: () => random.float(),
    bytes: (count) => new Uint8Array(randomBytes(count)),
    stream(name) {
      let stream = streams.get(name)
      if (stream === undefined) {
        stream = withSystemBytes(random.stream(name))
        streams.set(name, stream)
      }
      return stream
    },
  }
}
