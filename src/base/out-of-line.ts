/**
 * Keeps code that runs seldom out of loops that run often.
 *
 * V8 does not know how often a getter calls something, so it inlines all of it into the loop that reads the field - for a text
 * column that is the decoding of the whole heap, done once per frame - and has no budget left for what every row needs
 * (decision 0058).
 */

/**
 * Calls `functions[index]` with `argument`. V8 never inlines it: the call below has had several targets, and what an array
 * holds may change.
 */
export function outOfLine<In, Out>(
  functions: readonly ((argument: In) => Out)[],
  index: number,
  argument: In,
): Out {
  return functions[index]!(argument)
}

/** So many calls that V8 keeps notes about the call above; it gives up at the second target. */
const calls = 2_000
const targets = [(n: number): number => n + 1, (n: number): number => n - 1]
for (let i = 0; i < calls; i++) outOfLine(targets, i % 2, i)
