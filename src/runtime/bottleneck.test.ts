import { describe, expect, test } from 'vitest'
import type { SliceActivity } from './activity.ts'
import { bottleneckOf, type SubtaskLoad, sharesOf } from './bottleneck.ts'
import { HotKeys } from './hot-keys.ts'

function activity(changes: Partial<SliceActivity> = {}): SliceActivity {
  return {
    aliveMs: 1000,
    idleMs: 0,
    sinkMs: {},
    blockedMs: 0,
    stageMs: [100, 0],
    stageSteps: [['map at job.ts:3', 'key-by at job.ts:4'], ['process "slow"']],
    fills: [],
    rowsIn: 0,
    rowsOut: 0,
    bytesOut: 0,
    keys: {},
    hotKeys: [],
    ...changes,
  }
}

function load(changes: Partial<SliceActivity>, more: Partial<SubtaskLoad> = {}): SubtaskLoad {
  return {
    subtask: 0,
    silentMs: 0,
    stage: undefined,
    before: undefined,
    now: activity(changes),
    ...more,
  }
}

describe('the sentence', () => {
  test.each([
    ['a slow step', [load({ stageMs: [50, 900] })], 'process "slow"'],
    ['a slow chain', [load({ stageMs: [900, 50] })], 'one of: map at job.ts:3'],
    ['a slow sink', [load({ sinkMs: { out: 800 } })], 'sink "out" is slow'],
    ['no load', [load({ idleMs: 900 })], 'waits for input'],
    [
      'partitions that wait for one of another subtask',
      [
        load(
          { idleMs: 900 },
          {
            waiting: [
              { partition: 'rows/b', group: 'both', aheadMs: 90_000 },
              { partition: 'rows/c', group: 'both', aheadMs: 630_000 },
            ],
            slowest: [{ partition: 'rows/b', group: 'both', watermarkMs: 700_000 }],
          },
        ),
        load(
          { idleMs: 900 },
          { slowest: [{ partition: 'rows/a', group: 'both', watermarkMs: 1_000 }] },
        ),
      ],
      'partition rows/c is 630.0 s ahead in event time and waits for rows/a (alignment group both)',
    ],
    [
      'a busy subtask, whoever waits',
      [load({ stageMs: [50, 900] }, { waiting: [{ partition: 'rows/b', group: 'both' }] })],
      'process "slow"',
    ],
    [
      'a hot key',
      [
        load({ idleMs: 800 }),
        load({ stageMs: [0, 950], hotKeys: [{ key: 'a', share: 0.9 }] }, { subtask: 1 }),
      ],
      'key "a" is hot: about 90 % of the rows of subtask 1',
    ],
    [
      'a slow subtask that blocks another',
      [load({ blockedMs: 900 }), load({ stageMs: [0, 950] }, { subtask: 1 })],
      'subtask 1 is 100 % busy in process "slow"',
    ],
    [
      'an endless loop',
      [load({ idleMs: 900 }, { silentMs: 3000, stage: 1 })],
      'has not come back for 3.0 s from process "slow"',
    ],
    [
      'a function that does not come back',
      [
        load({}, { silentMs: 1200, stage: 0 }),
        load({}, { subtask: 1, silentMs: 3000, where: 'map at job.ts:3, in f (job.ts:9:2)' }),
      ],
      'subtask 1 has not come back for 3.0 s from map at job.ts:3, in f (job.ts:9:2)',
    ],
  ])('names %s', (_, loads, text) => {
    expect(bottleneckOf(loads)).toContain(text)
  })

  test('looks at what passed since the earlier picture', () => {
    const before = activity({ aliveMs: 500, idleMs: 500 })
    const now = activity({ idleMs: 500 })
    expect(sharesOf({ now, before })).toMatchObject({ idle: 0, busy: 1 })
  })
})

test('a frequent key is found among many', () => {
  const sketch = new HotKeys()
  for (let batch = 0; batch < 200; batch++) {
    const keys = Array.from({ length: 250 }, (_, i) => (i % 5 < 3 ? 'hot' : `${batch}-${i}`))
    sketch.add({ keys, length: keys.length })
  }
  const [first] = sketch.top(1)
  expect(first?.key).toBe('hot')
  expect(first?.share).toBeGreaterThan(0.5)
  expect(first?.share).toBeLessThan(0.75)
})
