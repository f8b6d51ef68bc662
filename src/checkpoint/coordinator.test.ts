import { describe, expect, it } from 'vitest'
import {
  type CoordinatorCommand,
  type CoordinatorEvent,
  type CoordinatorOptions,
  type CoordinatorState,
  startCoordinator,
  stepCoordinator,
} from './coordinator.ts'

const defaults: CoordinatorOptions = {
  subtasks: 2,
  intervalMs: 1_000,
  minPauseMs: 100,
  timeoutMs: 5_000,
  failuresMax: 0,
}

/** Runs events from the start and collects what came out after each. */
function play(
  events: readonly (readonly [CoordinatorEvent, number])[],
  options: Partial<CoordinatorOptions> = {},
): { state: CoordinatorState; steps: readonly (readonly CoordinatorCommand[])[] } {
  const first = startCoordinator({ ...defaults, ...options }, 1, 0)
  let state = first.state
  const steps: (readonly CoordinatorCommand[])[] = [first.commands]
  for (const [event, at] of events) {
    const step = stepCoordinator(state, event, at)
    state = step.state
    steps.push(step.commands)
  }
  return { state, steps }
}

const prepared = (epoch: number, subtask: number): CoordinatorEvent => ({
  kind: 'prepared',
  epoch,
  subtask,
})
const committed = (epoch: number, subtask: number): CoordinatorEvent => ({
  kind: 'committed',
  epoch,
  subtask,
})
const reason = { message: 'no space' }

describe('the coordinator', () => {
  it('publishes when all have prepared, commits when published, retires when all have committed', () => {
    const { steps, state } = play([
      [{ kind: 'due' }, 1_000],
      [prepared(1, 1), 1_100],
      [prepared(1, 1), 1_110],
      [prepared(1, 0), 1_200],
      [{ kind: 'published' }, 1_300],
      [committed(1, 0), 1_400],
      [committed(1, 1), 1_400],
      [{ kind: 'retired' }, 1_500],
    ])
    expect(steps.slice(1).map((commands) => commands.map(({ kind }) => kind))).toEqual([
      ['arm-timeout', 'trigger'],
      [],
      [],
      ['publish'],
      ['arm-timeout', 'commit'],
      [],
      ['retire'],
      ['schedule'],
    ])
    expect(state).toMatchObject({ phase: 'idle', nextEpoch: 2, dueMs: 2_000 })
  })

  it('leaves the minimal pause after a slow attempt', () => {
    const { state } = play([
      [{ kind: 'due' }, 1_000],
      [prepared(1, 0), 1_100],
      [prepared(1, 1), 4_000],
      [{ kind: 'published' }, 4_000],
      [committed(1, 0), 4_000],
      [committed(1, 1), 4_000],
      [{ kind: 'retired' }, 4_000],
    ])
    expect(state.dueMs).toBe(4_100)
  })

  it('gives a failed attempt a new epoch, counts failures in a row and forgets them after a success', () => {
    const { state, steps } = play([
      [{ kind: 'due' }, 1_000],
      [{ kind: 'prepare-failed', epoch: 1, subtask: 0, reason }, 1_100],
      [{ kind: 'due' }, 2_000],
      [{ kind: 'timed-out', epoch: 1 }, 6_000],
      [{ kind: 'timed-out', epoch: 2 }, 7_000],
      [prepared(2, 0), 7_100],
      [{ kind: 'due' }, 8_000],
      [prepared(3, 0), 8_000],
      [prepared(3, 1), 8_000],
      [{ kind: 'publish-failed', reason }, 8_000],
      [{ kind: 'due' }, 9_000],
      [prepared(4, 0), 9_000],
      [prepared(4, 1), 9_000],
      [{ kind: 'published' }, 9_000],
    ])
    const failures = steps
      .flat()
      .flatMap((command) => (command.kind === 'abort' ? [command.failures] : []))
    expect(failures).toEqual([1, 2, 3])
    expect(state).toMatchObject({ phase: 'committing', failures: 0, nextEpoch: 5 })
  })

  it('fails the job at the limit of failures', () => {
    const { state, steps } = play(
      [
        [{ kind: 'due' }, 1_000],
        [{ kind: 'prepare-failed', epoch: 1, subtask: 0, reason }, 1_100],
      ],
      { failuresMax: 1 },
    )
    expect(state.phase).toBe('failed')
    expect(steps.at(-1)).toEqual([
      { kind: 'abort', epoch: 1, failures: 1, reason },
      { kind: 'fail', reason, tooMany: true },
    ])
  })

  it('takes requests at once when idle, after the running attempt otherwise, and answers each', () => {
    const { steps } = play([
      [{ kind: 'request', request: { id: 1, kind: 'checkpoint' } }, 10],
      [{ kind: 'request', request: { id: 2, kind: 'savepoint' } }, 20],
      [prepared(1, 0), 30],
      [prepared(1, 1), 30],
      [{ kind: 'published' }, 30],
      [committed(1, 0), 30],
      [committed(1, 1), 30],
      [{ kind: 'retired' }, 40],
    ])
    expect(steps.at(-1)).toEqual([
      { kind: 'answer', requests: [1], epoch: 1 },
      { kind: 'arm-timeout', epoch: 2, atMs: 5_040 },
      { kind: 'trigger', epoch: 2, snapshot: 'savepoint', finished: false },
    ])
  })

  it('ends after a final checkpoint when stopped, and without one when that fails', () => {
    const good = play([
      [{ kind: 'stop' }, 10],
      [prepared(1, 0), 30],
      [prepared(1, 1), 30],
      [{ kind: 'published' }, 30],
      [committed(1, 0), 30],
      [committed(1, 1), 30],
      [{ kind: 'retired' }, 40],
    ])
    expect(good.steps.at(-1)).toEqual([{ kind: 'end', final: true, finished: false }])
    const bad = play([
      [{ kind: 'stop' }, 10],
      [{ kind: 'prepare-failed', epoch: 1, subtask: 1, reason }, 30],
    ])
    expect(bad.steps.at(-1)?.at(-1)).toEqual({ kind: 'end', final: false, finished: false })
  })

  it('repeats the last checkpoint of a bounded job until it succeeds', () => {
    const { steps, state } = play([
      [{ kind: 'finished', subtask: 0 }, 10],
      [{ kind: 'finished', subtask: 1 }, 20],
      [{ kind: 'prepare-failed', epoch: 1, subtask: 1, reason }, 30],
      [{ kind: 'due' }, 1_030],
    ])
    expect(steps[2]?.at(-1)).toEqual({
      kind: 'trigger',
      epoch: 1,
      snapshot: 'final',
      finished: true,
    })
    expect(steps[3]?.at(-1)).toEqual({ kind: 'schedule', atMs: 1_030 })
    expect(steps[4]?.at(-1)).toEqual({
      kind: 'trigger',
      epoch: 2,
      snapshot: 'final',
      finished: true,
    })
    expect(state.phase).toBe('collecting')
  })

  it('refuses requests after the end', () => {
    const { steps } = play([
      [{ kind: 'broken', reason }, 10],
      [{ kind: 'request', request: { id: 4, kind: 'savepoint' } }, 20],
    ])
    expect(steps.at(-1)).toEqual([
      { kind: 'refuse', requests: [4], reason: { message: 'the job has failed' } },
    ])
  })
})

/**
 * Every interleaving of 3 subtasks and 3 epochs with an environment that may lose an attempt, the process, or both,
 * at every step. The environment is the durable world in miniature: which epochs have a manifest, and which epochs
 * each subtask's sink has shown.
 */
interface World {
  readonly machine: CoordinatorState
  /** Messages under way to each subtask, in order. */
  readonly inboxes: readonly (readonly string[])[]
  /** What each subtask prepared in this life and did not commit. */
  readonly held: readonly (readonly number[])[]
  readonly manifests: readonly number[]
  /** Largest epoch whose output each sink has shown. */
  readonly shown: readonly number[]
  readonly publishing: number
  readonly retiring: boolean
  readonly crashes: number
  readonly failures: number
}

describe('all interleavings', () => {
  it('never shows an epoch without manifest, never publishes one that is not prepared, always recovers', () => {
    const options: CoordinatorOptions = {
      subtasks: 3,
      intervalMs: 1,
      minPauseMs: 0,
      timeoutMs: 9,
      failuresMax: 0,
    }
    const epochsMax = 3
    const subtasks = [0, 1, 2]
    const seen = new Set<string>()
    const outcomes = new Set<string>()

    /** A new life: adopts the newest manifest, shows its epoch, drops everything else. */
    const life = (world: World): World => {
      const newest = world.manifests.at(-1) ?? 0
      const nextEpoch = Math.max(world.machine.nextEpoch, newest + 1)
      return {
        ...world,
        machine: startCoordinator(options, nextEpoch, 0).state,
        inboxes: subtasks.map(() => []),
        held: subtasks.map(() => []),
        shown: subtasks.map(() => newest),
        publishing: 0,
        retiring: false,
      }
    }
    const apply = (world: World, event: CoordinatorEvent): World => {
      const { state, commands } = stepCoordinator(world.machine, event, 0)
      let next: World = {
        ...world,
        machine: {
          ...state,
          dueMs: 0,
          attempt: state.attempt && { ...state.attempt, startedMs: 0 },
        },
      }
      const send = (text: string): void => {
        next = { ...next, inboxes: next.inboxes.map((inbox) => [...inbox, text]) }
      }
      for (const command of commands) {
        if (command.kind === 'trigger') send(`checkpoint ${command.epoch}`)
        else if (command.kind === 'abort') send(`abort ${command.epoch}`)
        else if (command.kind === 'commit') {
          expect(next.manifests, 'commit only what is published').toContain(command.epoch)
          send(`commit ${command.epoch}`)
        } else if (command.kind === 'publish') {
          for (const held of next.held)
            expect(held, 'publish only what all prepared').toContain(command.epoch)
          expect(next.publishing, 'one publication at a time').toBe(0)
          next = { ...next, publishing: command.epoch }
        } else if (command.kind === 'retire') {
          expect(next.shown, 'retire only what is shown everywhere').toEqual(
            subtasks.map(() => command.epoch),
          )
          next = { ...next, retiring: true }
        }
      }
      return next
    }
    const deliver = (world: World, subtask: number): World => {
      const [message, ...rest] = world.inboxes[subtask]!
      const [kind, number] = message!.split(' ')
      const epoch = Number(number)
      const emptied = {
        ...world,
        inboxes: world.inboxes.map((inbox, i) => (i === subtask ? rest : inbox)),
      }
      if (kind === 'abort') return emptied
      if (kind === 'checkpoint') {
        const held = world.held.map((epochs, i) => (i === subtask ? [...epochs, epoch] : epochs))
        return apply({ ...emptied, held }, { kind: 'prepared', epoch, subtask })
      }
      expect(world.shown[subtask]!, 'output never goes back').toBeLessThan(epoch)
      const shown = world.shown.map((old, i) => (i === subtask ? epoch : old))
      const held = world.held.map((epochs, i) =>
        i === subtask ? epochs.filter((other) => other > epoch) : epochs,
      )
      return apply({ ...emptied, shown, held }, { kind: 'committed', epoch, subtask })
    }
    const moves = (world: World): World[] => {
      const next: World[] = []
      const { machine, publishing } = world
      if (machine.phase === 'idle' && machine.nextEpoch <= epochsMax)
        next.push(apply(world, { kind: 'due' }))
      for (const subtask of subtasks)
        if (world.inboxes[subtask]!.length > 0) next.push(deliver(world, subtask))
      if (publishing > 0) {
        const idle = { ...world, publishing: 0 }
        const manifests = [...world.manifests, publishing]
        expect(manifests, 'epochs only grow').toEqual([...new Set(manifests)].sort((a, b) => a - b))
        next.push(apply({ ...idle, manifests }, { kind: 'published' }))
        if (world.failures < 1)
          next.push(apply({ ...idle, failures: 1 }, { kind: 'publish-failed', reason }))
        // The manifest may be visible although the process died before it knew.
        if (world.crashes < 2) next.push(life({ ...world, manifests, crashes: world.crashes + 1 }))
      }
      if (world.retiring) next.push(apply({ ...world, retiring: false }, { kind: 'retired' }))
      if (machine.phase === 'collecting' && world.failures < 1) {
        next.push(
          apply({ ...world, failures: 1 }, { kind: 'timed-out', epoch: machine.attempt!.epoch }),
        )
      }
      if (world.crashes < 2) next.push(life({ ...world, crashes: world.crashes + 1 }))
      return next
    }
    const start: World = {
      machine: startCoordinator(options, 1, 0).state,
      inboxes: subtasks.map(() => []),
      held: subtasks.map(() => []),
      manifests: [],
      shown: subtasks.map(() => 0),
      publishing: 0,
      retiring: false,
      crashes: 0,
      failures: 0,
    }
    const open = [start]
    while (open.length > 0) {
      const world = open.pop()!
      const key = JSON.stringify({ ...world, machine: { ...world.machine, options: 0 } })
      if (seen.has(key)) continue
      seen.add(key)
      for (const shown of world.shown) {
        if (shown > 0) expect(world.manifests, 'what is shown has a manifest').toContain(shown)
      }
      const next = moves(world)
      const quiet = next.every((other) => other.crashes > world.crashes)
      if (quiet) {
        expect(world.machine.phase, 'no deadlock').toBe('idle')
        expect(world.shown).toEqual(subtasks.map(() => world.manifests.at(-1) ?? 0))
        outcomes.add(world.manifests.join(','))
      }
      open.push(...next)
    }
    expect(seen.size).toBeGreaterThan(1_000)
    expect(outcomes).toContain('1,2,3')
    expect(outcomes).toContain('2,3')
    expect(outcomes).toContain('')
  })
})
