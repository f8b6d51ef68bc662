/** A limit on keys or timers: a warning at 80 %, TM1405 beyond 100 %. Nothing is ever evicted. */
import { TidemillError } from '../base/errors.ts'
import { stateErrors } from './errors.ts'
import type { KeyedStoreOptions, LimitWarning } from './keyed-store-contract.ts'

export class LimitGuard {
  private readonly options: KeyedStoreOptions
  private readonly what: LimitWarning['what']
  private readonly limit: number
  private warned = false

  constructor(options: KeyedStoreOptions, what: LimitWarning['what'], limit: number | undefined) {
    this.options = options
    this.what = what
    this.limit = limit ?? Number.POSITIVE_INFINITY
  }

  /** Called before one is added that makes it `used`. */
  add(used: number): void {
    if (used < this.limit * 0.8) {
      if (used < this.limit * 0.6) this.warned = false
      return
    }
    const { what, limit } = this
    const { operator } = this.options
    if (used > limit) {
      throw new TidemillError(stateErrors.limitReached, {
        message: `${limit} ${what}`,
        details: { operator, [what]: limit },
      })
    }
    if (this.warned) return
    this.warned = true
    this.options.onWarning?.({ operator, what, used, limit })
  }
}
