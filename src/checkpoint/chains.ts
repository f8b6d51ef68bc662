/**
 * On which earlier objects the next data object of a subtask may build. Every holder of state has a chain: the object
 * with its last whole picture, and those with what changed after it. A chain is used once its last object is committed;
 * an attempt that fails ends all chains, because what had changed up to it is noted nowhere any more.
 *
 * A chain ends, and the next picture is whole, when its changes have become as long as the whole picture, when it has
 * too many objects to read, and when the objects hold more of other holders than of those that need them: a restore then
 * reads at most about twice the state, and the disk holds at most about four times of it.
 */
import { assert } from '../base/assert.ts'
import type { ObjectRef } from './data-writer.ts'
import type { BaseObject } from './manifest.ts'

/** Opening an object takes a fraction of a millisecond, and a whole picture in so many epochs costs about 2 % of one. */
const objectsMax = 64
/** More than is needed may always be kept. */
const surplusBytes = 1 << 20

interface WrittenObject {
  readonly epoch: number
  readonly ref: ObjectRef
}

interface Chain {
  readonly objects: readonly WrittenObject[]
  readonly wholeBytes: number
  readonly changesBytes: number
}

type Chains = ReadonlyMap<string, Chain>

interface Written {
  readonly changesOnly: boolean
  bytes: number
}

const none: Chains = new Map()

export class StateChains {
  /** What the object that is being written may build on. */
  #base: Chains = none
  #written: Map<string, Written> = new Map()
  #acknowledged: { readonly epoch: number; readonly chains: Chains } | undefined
  #committed: Chains = none

  /** An object is begun. `whole`: it has to stand alone. Holders with less than `wholeBelowBytes` are not worth a chain. */
  begin(whole: boolean, wholeBelowBytes: number): void {
    this.#written = new Map()
    // The order of epochs is the driver's business; here nothing depends on it.
    if (whole || this.#acknowledged !== undefined || isWasteful(this.#committed)) this.#base = none
    else this.#base = new Map([...this.#committed].filter(([, c]) => goesOn(c, wholeBelowBytes)))
  }

  /** Whether a holder may leave out what its last picture had and did not change. */
  mayBuild(holder: string): boolean {
    return this.#base.has(holder)
  }

  froze(holder: string, changesOnly: boolean): void {
    this.#written.set(holder, { changesOnly, bytes: 0 })
  }

  wrote(holder: string, bytes: number): void {
    const written = this.#written.get(holder)
    if (written !== undefined) written.bytes += bytes
  }

  /** The object is durable; what it builds on, the oldest first. */
  finish(epoch: number, object: ObjectRef): readonly BaseObject[] {
    const bases = new Map<number, { readonly ref: ObjectRef; readonly operators: string[] }>()
    const chains = new Map<string, Chain>()
    for (const [holder, { changesOnly, bytes }] of this.#written) {
      const before = changesOnly ? this.#base.get(holder) : undefined
      assert(before !== undefined || !changesOnly, 'changes build on something', { holder })
      for (const earlier of before?.objects ?? []) {
        const base = bases.get(earlier.epoch) ?? { ref: earlier.ref, operators: [] }
        bases.set(earlier.epoch, base)
        base.operators.push(holder)
      }
      chains.set(holder, {
        objects: [...(before?.objects ?? []), { epoch, ref: object }],
        wholeBytes: before?.wholeBytes ?? bytes,
        changesBytes: before === undefined ? 0 : before.changesBytes + bytes,
      })
    }
    this.#acknowledged = { epoch, chains }
    return [...bases]
      .sort(([a], [b]) => a - b)
      .map(([, { ref, operators }]) => ({ ...ref, operators }))
  }

  committed(epoch: number): void {
    if (this.#acknowledged?.epoch !== epoch) return
    this.#committed = this.#acknowledged.chains
    this.#acknowledged = undefined
  }

  /** The attempt has failed. */
  abandon(): void {
    this.#base = this.#committed = none
    this.#acknowledged = undefined
  }
}

function goesOn({ objects, wholeBytes, changesBytes }: Chain, wholeBelowBytes: number): boolean {
  return wholeBytes >= wholeBelowBytes && changesBytes < wholeBytes && objects.length < objectsMax
}

/** Whether chains keep objects alive that are mostly of no use. */
function isWasteful(chains: Chains): boolean {
  const sizes = new Map<number, number>()
  let needed = 0
  for (const { objects, wholeBytes, changesBytes } of chains.values()) {
    needed += wholeBytes + changesBytes
    for (const { epoch, ref } of objects) sizes.set(epoch, ref.sizeBytes)
  }
  const kept = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  return kept > 2 * needed + surplusBytes
}
