import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Env } from '../../base/env.ts'
import { isTidemillError } from '../../base/errors.ts'
import { hostTurn } from '../../platform/turn.ts'
import { type LifeEnd, WorldCrash } from './life-state.ts'
import { calmProfile, profileOf } from './profile.ts'
import { runToy } from './toy-log.bench.ts'
import { createWorld } from './world.ts'

function resultOf<Result>(end: LifeEnd<Result>): Result {
  if (end.kind !== 'done') throw new Error(`ended otherwise: ${JSON.stringify(end)}`)
  return end.value
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return isTidemillError(error) ? error.code : undefined
}

describe('determinism', () => {
  test('a seed repeats its run exactly, another seed gives another', async () => {
    const one = await runToy(11)
    const again = await runToy(11)
    const other = await runToy(12)
    expect(again.world.traceHash()).toBe(one.world.traceHash())
    expect(again.world.random.u32()).toBe(one.world.random.u32())
    expect(again.world.nowMs).toBe(one.world.nowMs)
    expect(again.world.dump()).toBe(one.world.dump())
    expect(other.world.traceHash()).not.toBe(one.world.traceHash())
  })

  test('also in a process with another time zone, locale, directory and heap', async () => {
    const here = await runToy(13)
    const program = fileURLToPath(new URL('./toy-log.bench.ts', import.meta.url))
    const tsx = import.meta.resolve('tsx')
    const there = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        ['--max-old-space-size=96', '--import', tsx, program, 'hash', '13'],
        {
          cwd: tmpdir(),
          env: {
            ...process.env,
            TZ: 'Pacific/Auckland',
            LC_ALL: 'tr_TR.UTF-8',
            LANG: 'tr_TR.UTF-8',
          },
        },
        (error, stdout) => (error ? reject(error) : resolve(stdout.trim())),
      )
    })
    expect(there).toBe(`${here.world.traceHash()} ${here.world.random.u32()} ${here.world.nowMs}`)
  }, 20_000)

  test('the order of simultaneous events differs between seeds, and only there', async () => {
    const orderOf = async (seed: number) => {
      const world = createWorld({ seed })
      const order: number[] = []
      await world.run(async (env) => {
        await Promise.all([0, 1, 2, 3, 4].map((i) => env.clock.sleep(5).then(() => order.push(i))))
      })
      return order.join('')
    }
    const orders = await Promise.all([1, 2, 3, 4, 5, 6].map(orderOf))
    expect(new Set(orders).size).toBeGreaterThan(1)
    expect(await orderOf(3)).toBe(orders[2])
  })

  test('one more draw in a component does not shift the numbers of another', async () => {
    const draw = (extra: boolean) =>
      createWorld({ seed: 5 }).run((env) => {
        if (extra) env.random.stream('source').u32()
        return env.random.stream('sink').u32()
      })
    expect(resultOf(await draw(true))).toBe(resultOf(await draw(false)))
  })

  test('profiles belong to their seed and differ', () => {
    expect(profileOf(4)).toEqual(profileOf(4))
    expect(new Set([1, 2, 3, 4, 5].map((seed) => JSON.stringify(profileOf(seed)))).size).toBe(5)
  })
})

describe('time', () => {
  test('is virtual: an hour passes at once', async () => {
    const world = createWorld({ seed: 1 })
    const [mono, wall] = resultOf(
      await world.run(async ({ clock }) => {
        const [monoMs, wallMs] = [clock.monoMs(), clock.wallMs()]
        await clock.sleep(3_600_000)
        return [clock.monoMs() - monoMs, clock.wallMs() - wallMs]
      }),
    )
    expect([mono, wall]).toEqual([3_600_000, 3_600_000])
  })

  test('timers can be cancelled, sleeps aborted, and yielding passes time', async () => {
    const world = createWorld({ seed: 1 })
    const fired: string[] = []
    await world.run(async ({ clock, tasks }) => {
      clock.timer(10, () => fired.push('kept'))
      clock.timer(10, () => fired.push('cancelled')).cancel()
      const controller = new AbortController()
      clock.timer(5, () => controller.abort('stop'))
      await clock
        .sleep(1_000, controller.signal)
        .catch((reason: unknown) => fired.push(String(reason)))
      const until = clock.monoMs() + 20
      while (clock.monoMs() < until) await tasks.yield()
    })
    expect(fired).toEqual(['stop', 'kept'])
  })

  test('the wall clock jumps and stops, the monotonic one does not', async () => {
    const world = createWorld({ seed: 1, wallStartMs: 1_000_000 })
    const seen: [number, number][] = []
    const life = world.start(async ({ clock }) => {
      for (let i = 0; i < 4; i++) {
        await clock.sleep(100)
        seen.push([clock.wallMs(), clock.monoMs()])
      }
    })
    await world.advance(150)
    world.jumpWall(-500_000)
    await world.advance(100)
    world.stopWall(true)
    await world.advance(100)
    world.stopWall(false)
    await life.end()
    expect(seen).toEqual([
      [1_000_100, 100],
      [500_200, 200],
      [500_250, 300],
      [500_300, 400],
    ])
  })
})

describe('how a process ends', () => {
  test('done, failed, exited', async () => {
    const world = createWorld({ seed: 1 })
    expect(await world.run(() => 7)).toEqual({ kind: 'done', value: 7 })
    const error = new Error('own')
    expect(await world.run(() => Promise.reject(error))).toEqual({ kind: 'failed', error })
    expect(
      await world.run(
        ({ clock }) =>
          new Promise(() =>
            clock.timer(1, () => {
              throw error
            }),
          ),
      ),
    ).toEqual({ kind: 'failed', error })
    let after = false
    expect(
      await world.run(async ({ host, clock }) => {
        try {
          host.exit(3)
        } finally {
          await clock.sleep(1)
          after = true
        }
      }),
    ).toEqual({ kind: 'exited', code: 3 })
    expect(after).toBe(false)
  })

  test('a crash point kills at its planned hit, and hits are counted', async () => {
    const world = createWorld({ seed: 1 })
    const planned = world.plan('kill', { point: 'log.sync.done', hit: 3 })
    let reached = 0
    const program = async ({ host, clock }: Env) => {
      for (let i = 0; i < 5; i++) {
        await clock.sleep(1)
        host.crashPoint('log.append.before')
        host.crashPoint('log.sync.done')
        reached++
      }
    }
    expect(await world.run(program)).toEqual({
      kind: 'crashed',
      crash: 'kill',
      at: 'point log.sync.done',
    })
    expect([reached, planned.fired, world.crashes]).toEqual([2, true, 1])
    expect((await world.run(program)).kind).toBe('done')
    expect(Object.fromEntries(world.hits)).toEqual({ 'log.append.before': 8, 'log.sync.done': 8 })
  })

  test('code that catches the crash is dead all the same', async () => {
    const world = createWorld({ seed: 1 })
    world.plan('kill', { point: 'own.lock' })
    const seen: unknown[] = []
    const end = await world.run(async ({ host, clock, disk }) => {
      try {
        host.crashPoint('own.lock')
      } catch (error) {
        seen.push(error)
        for (const call of [
          () => clock.monoMs(),
          () => host.crashPoint('own.claim'),
          () => clock.timer(1, () => {}),
        ]) {
          try {
            call()
            seen.push('answered')
          } catch (again) {
            seen.push(again)
          }
        }
        host.log('info', 'from beyond')
        void disk.stat('/').then(
          () => seen.push('stat'),
          () => seen.push('stat'),
        )
        void clock.sleep(1).then(() => seen.push('slept'))
        await disk.mkdir('/never')
        seen.push('resumed')
      }
    })
    await world.advance(100)
    expect(end.kind).toBe('crashed')
    expect(seen.every((item) => item instanceof WorldCrash)).toBe(true)
    expect(seen).toHaveLength(4)
    expect(world.logs).toEqual([])
    expect(world.hits.has('own.claim')).toBe(false)
  })

  test('promises that a crash leaves behind are not reported as unhandled', async () => {
    const seen: unknown[] = []
    const listener = (reason: unknown) => seen.push(reason)
    process.on('unhandledRejection', listener)
    const world = createWorld({ seed: 1 })
    world.plan('kill', { point: 'sink.write' })
    await world.run(async ({ host, clock }) => {
      const background = clock
        .sleep(1)
        .then(() => host.crashPoint('sink.write'))
        .catch((cause: unknown) => {
          throw new Error('wrapped by the program', { cause })
        })
      await clock.sleep(1_000)
      await background
    })
    await hostTurn()
    process.off('unhandledRejection', listener)
    expect(seen).toEqual([])
  })

  test('at a disk call, after a time, and by the test', async () => {
    const world = createWorld({ seed: 1 })
    const busy = async ({ disk, clock }: Env) => {
      for (;;) {
        await disk.stat('/')
        await clock.sleep(1)
      }
    }
    world.plan('power', { operation: 4 })
    expect(await world.run(busy)).toMatchObject({
      kind: 'crashed',
      crash: 'power',
      at: 'disk call 4, stat /',
    })
    expect(world.operations).toBe(4)
    const before = world.nowMs
    world.plan('kill', { afterMs: 50 })
    expect((await world.run(busy)).kind).toBe('crashed')
    expect(world.nowMs - before).toBe(50)
    const [one, two] = [world.start(busy), world.start(busy)]
    await world.advance(5)
    world.crash('kill', one)
    expect([one.ended?.kind, two.ended]).toEqual(['crashed', undefined])
    world.crash('power')
    expect(two.ended).toMatchObject({ kind: 'crashed', crash: 'power' })
    world.plan('kill', { operation: 1 }).cancel()
    expect((await world.run(({ disk }) => disk.stat('/'))).kind).toBe('done')
  })

  test('a power cut changes the boot and restarts the monotonic clock, a kill does not; each life is a process', async () => {
    const world = createWorld({ seed: 1 })
    const look = async ({ host, clock }: Env) => {
      await clock.sleep(10)
      return { boot: host.bootId, pid: host.pid, mono: clock.monoMs(), variable: host.env('NAME') }
    }
    const first = resultOf(await world.run(look, { environment: { NAME: 'x' } }))
    const second = resultOf(await world.run(look))
    world.crash('power')
    const third = resultOf(await world.run(look))
    expect(second).toEqual({ boot: first.boot, pid: first.pid + 1, mono: 20, variable: undefined })
    expect(first.variable).toBe('x')
    expect(third.boot).not.toBe(first.boot)
    expect(third.mono).toBe(10)
  })

  test('signals reach handlers, or kill', async () => {
    const world = createWorld({ seed: 1 })
    const polite = world.start(
      ({ host }) => new Promise((resolve) => host.onSignal('SIGTERM', () => resolve('saved'))),
    )
    const rude = world.start(({ host }) => new Promise(() => host.onSignal('SIGTERM', () => {})()))
    await world.advance(1)
    polite.signal('SIGTERM')
    rude.signal('SIGTERM')
    expect(await polite.end()).toEqual({ kind: 'done', value: 'saved' })
    expect(await rude.end()).toMatchObject({ kind: 'crashed', at: 'signal' })
  })

  test('a paused process does nothing until it is resumed', async () => {
    const world = createWorld({ seed: 1 })
    let ticks = 0
    const life = world.start(async ({ clock }) => {
      const late = clock.timer(500, () => (ticks += 1_000))
      for (; ticks < 3; ticks++) await clock.sleep(100)
      late.cancel()
    })
    await world.advance(150)
    life.pause()
    await world.advance(200)
    expect(ticks).toBe(1)
    life.resume()
    expect((await life.end()).kind).toBe('done')
    await world.advance(1_000)
    expect(ticks).toBe(3)
  })
})

describe('misuse', () => {
  test('waiting for nothing is reported with the last events', async () => {
    const world = createWorld({ seed: 1 })
    const error = await world
      .run(({ host }) => {
        host.log('info', 'before the deadlock')
        return new Promise(() => {})
      })
      .catch((reason: unknown) => reason)
    expect(isTidemillError(error) && error.code).toBe('TM2100')
    expect(String((error as Error).cause)).toContain('before the deadlock')
  })

  test('an endless run, an act outside the run, impossible requests', async () => {
    const endless = createWorld({ seed: 1, stepsMax: 1_000 })
    expect(
      await codeOf(
        endless.run(async ({ tasks }) => {
          for (;;) await tasks.yield()
        }),
      ),
    ).toBe('TM2101')
    const world = createWorld({ seed: 1 })
    let env: Env | undefined
    const life = world.start(async (own) => {
      env = own
      await own.clock.sleep(10)
    })
    await world.advance(1)
    expect(await codeOf(env!.disk.stat('/'))).toBe('TM2102')
    expect(await codeOf(env!.clock.sleep(1))).toBe('TM2102')
    await life.end()
    expect(() => world.disk.read('/none')).toThrow('no file /none')
    expect(() => world.disk.inject({ nth: 0, effect: { kind: 'delay', ms: 1 } })).toThrow('nth 0')
    expect(await world.run(({ clock }) => clock.sleep(Number.NaN))).toMatchObject({
      kind: 'failed',
      error: { code: 'TM2103' },
    })
  })
})

test('log lines and output are kept in order', async () => {
  const world = createWorld({ seed: 1 })
  await world.run(async ({ host }) => {
    host.log('warn', 'careful', { at: 1 })
    await host.writeOut('a\n')
    await host.writeOut('b\n')
  })
  expect(world.output).toBe('a\nb\n')
  expect(world.logs).toMatchObject([
    { life: 1, level: 'warn', message: 'careful', fields: { at: 1 } },
  ])
})

test('random crashes stop at their maximum and with the faults', async () => {
  const crashes = { perPoint: 1, perOperation: 0, powerShare: 0.5, crashesMax: 3 }
  const world = createWorld({ seed: 1, profile: { ...calmProfile, crashes } })
  const program = ({ host }: Env) => host.crashPoint('own.lock')
  const ends: string[] = []
  for (let i = 0; i < 5; i++) ends.push((await world.run(program)).kind)
  expect(ends).toEqual(['crashed', 'crashed', 'crashed', 'done', 'done'])
  const calm = createWorld({ seed: 1, profile: { ...calmProfile, crashes } })
  calm.setFaults(false)
  expect((await calm.run(program)).kind).toBe('done')
})
