/** The process itself: signals, exit, memory, environment, log and output streams. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, hostname, uptime } from 'node:os'
import { DiskError, type Host, type LogLevel } from '../base/env.ts'
import { formatLogLine } from './log-line.ts'

export interface HostOptions {
  /** The least important level that is written. */
  readonly logLevel: LogLevel
  /** `auto`: plain text on a terminal, one JSON object per line elsewhere. */
  readonly logFormat: 'auto' | 'json' | 'text'
}

export function createNodeHost(options: HostOptions): Host {
  const environment = new Map(Object.entries(process.env))
  const asText =
    options.logFormat === 'text' || (options.logFormat === 'auto' && process.stderr.isTTY === true)
  const leastRank = rank[options.logLevel]
  keepErrorsQuiet()
  return {
    pid: process.pid,
    hostName: hostname(),
    cpus: availableParallelism(),
    operatingSystem: systems[process.platform] ?? 'other',
    bootId: readBootId(),
    env: (name) => environment.get(name),
    memoryBytes: () => process.memoryUsage.rss(),
    exit(code) {
      process.exit(code)
    },
    onSignal(name, fn) {
      process.on(name, fn)
      return () => void process.off(name, fn)
    },
    log(level, message, fields) {
      if (rank[level] > leastRank) return
      process.stderr.write(formatLogLine(asText, Date.now(), level, message, fields))
    },
    writeOut,
    crashPoint: noCrash,
  }
}

const rank: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

const systems: Readonly<Partial<Record<NodeJS.Platform, Host['operatingSystem']>>> = {
  linux: 'linux',
  darwin: 'macos',
  win32: 'windows',
}

function noCrash(): void {}

function writeOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error)
        reject(
          new DiskError((error as NodeJS.ErrnoException).code ?? 'EIO', 'stdout', 'write failed'),
        )
      else resolve()
    })
  })
}

let quiet = false

/** A reader that goes away (`| head`) must not end the job through an unhandled stream error; writeOut reports it. */
function keepErrorsQuiet(): void {
  if (quiet) return
  quiet = true
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
}

function readBootId(): string {
  try {
    if (process.platform === 'linux')
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    if (process.platform === 'darwin') {
      return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], {
        encoding: 'utf8',
        timeout: 2_000,
      }).trim()
    }
  } catch {
    // Fall through: a hidden /proc or a missing tool must not keep the engine from starting.
  }
  return bootIdFromUptime(Date.now(), uptime())
}

/**
 * The minute of the boot. A clock that is set, or a boot near the turn of a minute, can give one boot two ids; recovery
 * then takes the more careful path meant for a power cut.
 */
export function bootIdFromUptime(wallMs: number, uptimeSeconds: number): string {
  return `boot-minute-${Math.round((wallMs / 1_000 - uptimeSeconds) / 60)}`
}
