/**
 * What a conformance suite needs from a test runner, so that it runs under any: pass vitest's or `node:test`'s functions.
 * Suites state their expectations as thrown errors.
 */

export interface ConformanceHost {
  describe(name: string, define: () => void): void
  test(name: string, run: () => Promise<void>): void
}

/** Throws with both values when they differ as JSON data (bigint and bytes included). */
export function expectEqual(found: unknown, expected: unknown, what: string): void {
  const [left, right] = [asText(found), asText(expected)]
  if (left !== right) throw new Error(`${what}: expected ${short(right)}, got ${short(left)}`)
}

export function expectTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/** Resolves to what the work rejects with. */
export async function expectRejection(work: Promise<unknown>, what: string): Promise<unknown> {
  return work.then(
    () => {
      throw new Error(`${what}: nothing was thrown`)
    },
    (error: unknown) => error,
  )
}

function asText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return `bigint:${item}`
    if (item instanceof Uint8Array) return `bytes:${[...item].join(',')}`
    if (item instanceof Map) return ['map', ...item]
    return item === undefined ? 'undefined' : Object.is(item, -0) ? '-0' : item
  })
}

function short(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}
