/** When simulated processes die: planned crashes by point, disk call or time, and random ones by the profile's rates. */
import type { Random } from '../../base/env.ts'
import type { CrashKind } from './life-state.ts'
import type { CrashRates } from './profile.ts'

/** Hits, disk calls and milliseconds are counted from the moment of planning, the first is 1. */
export type CrashMoment =
  | { readonly point: string; readonly hit?: number }
  | { readonly operation: number }
  | { readonly afterMs: number }

export interface PlannedCrash {
  /** True once it has happened. */
  readonly fired: boolean
  cancel(): void
}

export class CrashEntry implements PlannedCrash {
  readonly kind: CrashKind
  readonly moment: CrashMoment
  seen = 0
  fired = false
  cancelled = false

  constructor(kind: CrashKind, moment: CrashMoment) {
    this.kind = kind
    this.moment = moment
  }

  cancel(): void {
    this.cancelled = true
  }
}

export class CrashPlans {
  #entries: CrashEntry[] = []
  readonly #random: Random
  readonly #rates: CrashRates
  #randomCrashes = 0
  enabled = true

  constructor(random: Random, rates: CrashRates) {
    this.#random = random
    this.#rates = rates
  }

  add(entry: CrashEntry): void {
    this.#entries.push(entry)
  }

  /** The kind of crash that this crash point or disk call is to be, if any. */
  at(point: string | undefined): CrashKind | undefined {
    return (
      this.#planned(point) ??
      this.#drawn(point === undefined ? this.#rates.perOperation : this.#rates.perPoint)
    )
  }

  #planned(point: string | undefined): CrashKind | undefined {
    if (this.#entries.length === 0) return undefined
    for (const entry of this.#entries) {
      const { moment } = entry
      if ('afterMs' in moment || ('point' in moment ? moment.point !== point : point !== undefined))
        continue
      entry.seen++
      const due = 'point' in moment ? (moment.hit ?? 1) : moment.operation
      if (entry.cancelled || entry.seen !== due) continue
      entry.fired = true
      this.#entries = this.#entries.filter((other) => other !== entry)
      return entry.kind
    }
    return undefined
  }

  #drawn(chance: number): CrashKind | undefined {
    if (!this.enabled || chance === 0 || this.#randomCrashes >= this.#rates.crashesMax)
      return undefined
    if (this.#random.float() >= chance) return undefined
    this.#randomCrashes++
    return this.#random.float() < this.#rates.powerShare ? 'power' : 'kill'
  }
}
