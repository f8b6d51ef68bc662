/**
 * Kinds of bad input and the tests that send them. An id is a promise only while a test of this list exists; what has
 * none says which missing feature it waits for.
 */

export interface BadInput {
  readonly id: string
  readonly what: string
  /** Files, each with titles of tests in it as they are written there. */
  readonly tests: Readonly<Record<string, readonly string[]>>
  /** The part that no test can reach yet, and why. */
  readonly waitsFor?: string
}

const e2e = 'test/e2e/bad-input.test.ts'
const hurt = 'test/e2e/user-code.test.ts'
const records = 'src/connectors/file/records.test.ts'
const textLines = 'src/connectors/file/lines.test.ts'
const keys = 'src/schema/key.test.ts'
const values = 'src/schema/schema.property.test.ts'
const afterFailure = 'src/runtime/after-failure.test.ts'
const setAside = 'lines that cannot be read are set aside with place and code; all others count'
const failing = 'the policy fail names file and line: %s'
const badKey = 'a key that is %s fails the job and names step and record'

export const badInputs: readonly BadInput[] = [
  {
    id: 'B01',
    what: 'a record that cannot be decoded',
    tests: {
      [e2e]: [setAside, failing],
      [records]: ['rejects what does not parse with its line and text'],
    },
  },
  {
    id: 'B02',
    what: 'a huge record',
    tests: {
      [e2e]: [setAside, failing],
      [textLines]: ['that are too long are skipped and rejected, wherever reads of the file end'],
    },
  },
  {
    id: 'B03',
    what: 'deep JSON',
    tests: {
      [e2e]: [setAside, failing],
      [records]: ['refuses more than 64 levels, not more brackets'],
    },
  },
  {
    id: 'B04',
    what: 'keys and fields named as members of every object',
    tests: {
      [e2e]: ['1, "1", true and 1n are four keys; 0 and -0 are one'],
      [records]: ['keeps fields that every object inherits'],
    },
  },
  {
    id: 'B05',
    what: 'keys that are no keys',
    tests: { [e2e]: [badKey] },
    waitsFor: 'groups of SQL, where NULL and NaN are keys',
  },
  {
    id: 'B06',
    what: 'keys that only look alike',
    tests: {
      [e2e]: ['1, "1", true and 1n are four keys; 0 and -0 are one'],
      [keys]: ['tell 1, 1n, "1" and true apart and 0 from nothing'],
    },
  },
  {
    id: 'B07',
    what: 'numbers that JSON.parse would round, and fields that come twice',
    tests: { [records]: ['reads whole numbers and decimals from their digits and never rounds'] },
    waitsFor: 'a strict mode that refuses fields that come twice',
  },
  {
    id: 'B08',
    what: 'bigint, undefined and NaN as values',
    tests: {
      'src/connectors/file-sink/file-sink.test.ts': [
        'prints JSON without losses',
        'refuses what has no form and names the field',
      ],
      [values]: ['returns what was written, generated equal to interpreted'],
    },
  },
  {
    id: 'B09',
    what: 'bytes that are not UTF-8',
    tests: {
      [e2e]: [setAside, failing],
      [textLines]: ['that are not UTF-8 are rejected with the byte, the others are kept'],
    },
  },
  {
    id: 'B10',
    what: 'lone surrogates',
    tests: { [e2e]: [badKey], [values]: ['keeps every string'] },
  },
  {
    id: 'B11',
    what: 'times that are no times',
    tests: { [e2e]: ['times that are no times are set aside and move no watermark'] },
  },
  {
    id: 'B12',
    what: 'a record far in the future',
    tests: {
      'test/e2e/far-future.test.ts': [
        'a time a month ahead is set aside and moves no watermark: %s',
        'the bound is an option; without one a wrong clock makes others late',
      ],
    },
  },
  {
    id: 'B13',
    what: 'a partition that falls silent',
    tests: {
      'src/time/watermark.test.ts': [
        'does not wait for idle inputs and takes them back without going backwards',
        'knows who holds it back and since when',
      ],
    },
  },
  {
    id: 'B14',
    what: 'a user function that throws, whatever it throws',
    tests: {
      [hurt]: [
        'fail: the job tries once more, gives up, and names step, place, record and code',
        'skip: everything else is counted',
        'dead-letter: the record is kept with its reason',
        '%s: the process survives, tries again a few times and says %s',
      ],
    },
  },
  {
    id: 'B15',
    what: 'a throw after state was written or rows were emitted',
    tests: {
      'src/runtime/chain.property.test.ts': [
        'skip what throws without a trace when the policy says so',
      ],
    },
  },
  {
    id: 'B16',
    what: 'promises that never settle, or twice',
    tests: {},
    waitsFor: 'user functions that return promises; all are synchronous',
  },
  {
    id: 'B17',
    what: 'a record that ends the job again and again',
    tests: {
      [afterFailure]: [
        'a function that throws at the same record again is not called a third time',
        'other records get their lives, up to three in a row',
        'what the input would show again ends the job at once',
      ],
    },
  },
  {
    id: 'B18',
    what: 'more keys and timers than there is room for',
    tests: { 'src/state/keyed-store.test.ts': ['warns at 80 % of a limit and refuses beyond it'] },
    waitsFor: 'patterns, whose partial matches need a limit of their own',
  },
  {
    id: 'B19',
    what: 'no row, one row, one key, time going backwards, everything late',
    tests: {
      'src/runtime/edge-inputs.test.ts': [
        'is counted per key by steps that keep a number',
        'is counted or late, once, by a %s window',
      ],
      [e2e]: ['%s is input like any other'],
    },
  },
]
