import { describe, expect, test } from 'vitest'
import type { FrozenState } from '../../state/contract.ts'
import { openKeyedStore } from '../../state/keyed-store.ts'
import type { KeyedStore, KeyedStoreOptions } from '../../state/keyed-store-contract.ts'
import { stateBackendConformance } from './state-backend.ts'

stateBackendConformance({ describe, test }, { name: 'memory', open: openKeyedStore })

/** The suite's tests that this backend fails. */
async function failures(open: (options: KeyedStoreOptions) => KeyedStore): Promise<string[]> {
  const tests: [string, () => Promise<void>][] = []
  stateBackendConformance(
    { describe: (_, define) => define(), test: (name, run) => void tests.push([name, run]) },
    { name: 'broken', open },
  )
  const failed: string[] = []
  for (const [name, run] of tests) await run().catch(() => failed.push(name))
  return failed
}

/** The memory backend with one member replaced. */
function broken(
  change: (store: KeyedStore) => Partial<KeyedStore>,
): (options: KeyedStoreOptions) => KeyedStore {
  return (options) => {
    const store = openKeyedStore(options)
    const changed = change(store)
    return new Proxy(store, {
      get(target, name) {
        if (name in changed) return changed[name as keyof KeyedStore]
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

/** A picture that is taken when it is read, and not when it was asked for. */
const late = (store: KeyedStore): FrozenState => {
  let real: FrozenState | undefined
  let calls = 0
  return {
    next(budget) {
      // The first portion is empty, so that writes come before the picture.
      if (calls++ === 0) return []
      real ??= store.freeze()
      return real.next(budget)
    },
    abandon: () => real?.abandon(),
  }
}

describe('a broken backend fails', () => {
  test.each<[string, (store: KeyedStore) => Partial<KeyedStore>, string]>([
    ['pictures', (store) => ({ freeze: () => late(store) }), 'freezes a moment'],
    ['undo', (store) => ({ rollback: () => store.release() }), 'undoes what followed a mark'],
    ['restore', () => ({ restore: () => {} }), 'restores the key groups'],
    ['timers', () => ({ takeDue: () => undefined }), 'fires timers by time'],
    ['sweeping', () => ({ sweepExpired: () => 0 }), 'never shows what has outlived'],
    [
      'keys',
      (store) => ({ setKey: (key) => store.setKey(`${String(key)}`.slice(0, 5)) }),
      'keeps what each key was given',
    ],
  ])('for its %s', async (_, change, title) => {
    const found = await failures(broken(change))
    expect(found.join('\n')).toContain(title)
  })

  test('and the whole one fails nothing', async () => {
    expect(await failures(openKeyedStore)).toEqual([])
  })
})
