/** Which disk call goes wrong, and how: planned faults by path and hit number, and random ones by the profile's rates. */
import type { Random } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { testingErrors } from '../errors.ts'
import type { CrashKind } from './life-state.ts'
import type { FaultRates } from './profile.ts'

export type DiskCall =
  | 'open'
  | 'pread'
  | 'pwrite'
  | 'fdatasync'
  | 'truncate'
  | 'size'
  | 'close'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'mkdir'
  | 'list'
  | 'syncDir'
  | 'stat'
  | 'space'
  | 'lock'

export type FaultEffect =
  /** The call rejects and has no effect; a failed `fdatasync` also loses the pages it should have written. */
  | { readonly kind: 'fail'; readonly errno: string }
  /** `pwrite` takes only so many bytes (default: a random part, at least one). */
  | { readonly kind: 'short'; readonly bytes?: number }
  | { readonly kind: 'delay'; readonly ms: number }
  /** `pread` returns one wrong bit (default: a random one); the stored bytes stay right. */
  | { readonly kind: 'flip'; readonly bit?: number }
  /** `pwrite` reports success but the bytes land this far from where they belong. */
  | { readonly kind: 'misdirect'; readonly byBytes: number }
  | { readonly kind: 'crash'; readonly crash: CrashKind }

export interface DiskFault {
  /** Text that the path contains, or a pattern; default every path. A rename or link matches by either path. */
  readonly path?: string | RegExp
  /** Default every call. */
  readonly call?: DiskCall | readonly DiskCall[]
  /** The first matching call that is hit, counted from 1 (default) at the injection. */
  readonly nth?: number
  /** How many matching calls in a row are hit; default 1. `Infinity` lasts until `remove`. */
  readonly times?: number
  readonly effect: FaultEffect
}

export interface InjectedFault {
  /** Calls it has hit so far. */
  readonly hits: number
  remove(): void
}

class Planned implements InjectedFault {
  readonly fault: DiskFault
  readonly #removeFrom: Set<Planned>
  #seen = 0
  hits = 0

  constructor(fault: DiskFault, removeFrom: Set<Planned>) {
    this.fault = fault
    this.#removeFrom = removeFrom
  }

  remove(): void {
    this.#removeFrom.delete(this)
  }

  /** True when this call is one of those to be hit. */
  takes(call: DiskCall, path: string, other: string): boolean {
    const { call: calls, path: pattern, nth = 1, times = 1 } = this.fault
    if (calls !== undefined && (typeof calls === 'string' ? calls !== call : !calls.includes(call)))
      return false
    if (
      pattern !== undefined &&
      !matches(pattern, path) &&
      !(other !== '' && matches(pattern, other))
    )
      return false
    this.#seen++
    if (this.#seen < nth) return false
    this.hits++
    if (this.hits >= times) this.remove()
    return true
  }
}

function matches(pattern: string | RegExp, path: string): boolean {
  return typeof pattern === 'string' ? path.includes(pattern) : path.search(pattern) >= 0
}

export class FaultPlan {
  readonly #planned = new Set<Planned>()
  readonly #random: Random
  readonly #rates: FaultRates
  readonly #anyRate: boolean
  /** Random faults happen only while this is on; planned ones always. */
  enabled = true

  constructor(random: Random, rates: FaultRates) {
    this.#random = random
    this.#rates = rates
    this.#anyRate =
      rates.error + rates.syncError + rates.shortWrite + rates.slow + rates.readFlip > 0
  }

  inject(fault: DiskFault): InjectedFault {
    const { nth = 1, times = 1 } = fault
    if (!(nth >= 1 && times >= 1)) {
      throw new TidemillError(testingErrors.worldUse, {
        message: `inject: nth ${nth} and times ${times} start at 1`,
      })
    }
    const planned = new Planned(fault, this.#planned)
    this.#planned.add(planned)
    return planned
  }

  pick(call: DiskCall, path: string, other: string): FaultEffect | undefined {
    for (const planned of this.#planned)
      if (planned.takes(call, path, other)) return planned.fault.effect
    return this.enabled && this.#anyRate ? this.#pickRandom(call) : undefined
  }

  #pickRandom(call: DiskCall): FaultEffect | undefined {
    const { error, syncError, shortWrite, slow, slowMs, readFlip } = this.#rates
    let at = this.#random.float()
    /** Whether the draw falls into the next `share` of what is left. */
    const falls = (share: number): boolean => {
      at -= share
      return at < 0
    }
    if (falls(slow)) return { kind: 'delay', ms: slowMs * this.#random.float() }
    if (call === 'close') return undefined // it would only leak the file in the simulation
    if (falls(error)) return { kind: 'fail', errno: this.#errnoFor(call) }
    if (call === 'fdatasync' && falls(syncError)) return { kind: 'fail', errno: 'EIO' }
    if (call === 'pwrite' && falls(shortWrite)) return { kind: 'short' }
    if (call === 'pread' && falls(readFlip)) return { kind: 'flip' }
    return undefined
  }

  #errnoFor(call: DiskCall): string {
    const choices = errnos[call] ?? ['EIO']
    return choices[this.#random.u32() % choices.length] ?? 'EIO'
  }
}

const errnos: Readonly<Partial<Record<DiskCall, readonly string[]>>> = {
  open: ['EIO', 'EMFILE', 'ENFILE'],
  pwrite: ['EIO', 'ENOSPC', 'EDQUOT', 'EINTR'],
  fdatasync: ['EIO', 'ENOSPC'],
  mkdir: ['EIO', 'ENOSPC'],
  link: ['EIO', 'ENOSPC'],
  rename: ['EIO', 'ENOSPC'],
  pread: ['EIO', 'EINTR'],
}
