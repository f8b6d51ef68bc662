/**
 * What kind of world a seed gets. Drawing the rates themselves from the seed (a swarm) finds more than one fixed
 * mixture: some worlds have no disk errors but many crashes, some tiny buffers, some long quiet lives.
 */
import type { Random } from '../../base/env.ts'
import { createSeededRandom } from '../../platform/random.ts'

/** Chances per disk call, from 0 to 1. */
export interface FaultRates {
  /** Any call fails with a code that fits it. */
  readonly error: number
  readonly syncError: number
  readonly shortWrite: number
  /** A call takes up to `slowMs` instead of the usual time. */
  readonly slow: number
  readonly slowMs: number
  /** A read returns one wrong bit. Rot, which must be detected; recovery from it is not always possible. */
  readonly readFlip: number
}

export interface CrashRates {
  /** Chance of dying at each crash point and at each disk call. */
  readonly perPoint: number
  readonly perOperation: number
  /** Share of power cuts among the crashes. */
  readonly powerShare: number
  /** No random crash after this many, so that every run can end. */
  readonly crashesMax: number
}

/** Sizes for the job under test; the world itself does not read them. */
export interface WorldSizes {
  readonly sources: number
  readonly workers: number
  readonly keys: number
  readonly records: number
  /** Records per frame and in buffers; often 1. */
  readonly bufferRecords: number
  /** Records between checkpoints; often 1. */
  readonly checkpointEvery: number
  /** Small, so that files roll. */
  readonly segmentBytes: number
}

export interface WorldProfile {
  readonly name: string
  readonly faults: FaultRates
  readonly crashes: CrashRates
  /** Usual duration of a disk call in virtual milliseconds. */
  readonly diskMs: number
  readonly capacityBytes: number
  readonly openFilesMax: number
  readonly sizes: WorldSizes
}

/** No faults and no crashes but those a test asks for. */
export const calmProfile: WorldProfile = {
  name: 'calm',
  faults: { error: 0, syncError: 0, shortWrite: 0, slow: 0, slowMs: 0, readFlip: 0 },
  crashes: { perPoint: 0, perOperation: 0, powerShare: 0, crashesMax: 0 },
  diskMs: 0.1,
  capacityBytes: Number.POSITIVE_INFINITY,
  openFilesMax: 1_024,
  sizes: {
    sources: 1,
    workers: 1,
    keys: 16,
    records: 100,
    bufferRecords: 16,
    checkpointEvery: 20,
    segmentBytes: 65_536,
  },
}

/** The profile of this seed. Crashes are always possible; each family of disk faults is on in some seeds only. */
export function profileOf(seed: number): WorldProfile {
  const random = createSeededRandom(seed).stream('profile')
  const sometimes = (chance: number, rates: readonly number[]) =>
    random.float() < chance ? pick(random, rates) : 0
  return {
    name: `swarm-${seed}`,
    faults: {
      error: sometimes(0.3, [0.001, 0.01, 0.05]),
      syncError: sometimes(0.3, [0.005, 0.05, 0.2]),
      shortWrite: sometimes(0.4, [0.01, 0.1, 0.5]),
      slow: sometimes(0.4, [0.01, 0.1]),
      slowMs: pick(random, [5, 100, 3_000]),
      readFlip: 0,
    },
    crashes: {
      perPoint: sometimes(0.7, [0.001, 0.01, 0.05]),
      perOperation: sometimes(0.7, [0.0005, 0.005, 0.03]),
      powerShare: pick(random, [0, 0.3, 0.7, 1]),
      crashesMax: pick(random, [1, 2, 4, 10]),
    },
    diskMs: pick(random, [0.01, 0.1, 2]),
    capacityBytes: Number.POSITIVE_INFINITY,
    openFilesMax: pick(random, [64, 1_024]),
    sizes: {
      sources: 1 + (random.u32() % 3),
      workers: pick(random, [1, 2, 3, 7]),
      keys: pick(random, [1, 3, 50, 1_000]),
      records: pick(random, [0, 1, 20, 100, 400]),
      bufferRecords: pick(random, [1, 2, 16, 256]),
      checkpointEvery: pick(random, [1, 5, 25, 100]),
      segmentBytes: pick(random, [256, 2_048, 65_536]),
    },
  }
}

function pick<Value>(random: Random, choices: readonly Value[]): Value {
  return choices[random.u32() % choices.length]!
}
