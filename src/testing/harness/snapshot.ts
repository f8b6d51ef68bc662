/** What one harness hands to another: the same bytes that a checkpoint would hold. */
import { TidemillError } from '../../base/errors.ts'
import type { StoredWatermark } from '../../checkpoint/manifest.ts'
import type { Plan } from '../../graph/plan.ts'
import type { SnapshotBlock } from '../../state/contract.ts'
import { testingErrors } from '../errors.ts'

declare const snapshotBrand: unique symbol

/** State, timers, watermarks and time of a harness. Any number of harnesses may begin from it. */
export interface HarnessSnapshot {
  readonly [snapshotBrand]: 'HarnessSnapshot'
}

export interface StoredHarness {
  readonly fingerprint: string
  readonly nowMs: number
  readonly operators: readonly {
    readonly operator: string
    readonly blocks: readonly SnapshotBlock[]
  }[]
  readonly watermarks: readonly StoredWatermark[]
}

const stored = new WeakMap<HarnessSnapshot, StoredHarness>()

export function writeSnapshot(harness: StoredHarness): HarnessSnapshot {
  const snapshot = Object.freeze({}) as HarnessSnapshot // the brand exists for the compiler only
  stored.set(snapshot, harness)
  return snapshot
}

/** TM2111 for something else, or for a snapshot of other steps. */
export function readSnapshot(snapshot: HarnessSnapshot, plan: Plan): StoredHarness {
  const harness = stored.get(snapshot)
  if (harness === undefined) throw wrong('restoreFrom is not a snapshot of a harness')
  if (harness.fingerprint !== plan.fingerprint)
    throw wrong('restoreFrom is a snapshot of other steps')
  return harness
}

function wrong(message: string): TidemillError {
  return new TidemillError(testingErrors.harnessUse, { message })
}
