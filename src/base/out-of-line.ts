/**
 * Keeps code that runs seldom out of loops that run often.
 *
 * V8 does not know how often a getter calls something, so it inlines all of it into the loop that reads the field - for a text
 * column that is the decoding of the whole heap, done once per frame - and has no budget left for what every row needs
 * (decision 0058). The same goes for a key that is new: while a job warms up most keys are.
 */

/**
 * Calls `functions[index]` with what else it is given. V8 never inlines it: the call below has had several targets, and what
 * an array holds may change.
 */
export function outOfLine<In, More, Out>(
  functions: readonly ((argument: In, more: More) => Out)[],
  index: number,
  argument: In,
  more: More,
): Out {
  return functions[index]!(argument, more)
}

/** So many calls that V8 keeps notes about the call above; it gives up at the second target. */
const calls = 2_000
const targets = [
  (n: number, by: number): number => n + by,
  (n: number, by: number): number => n - by,
]
for (let i = 0; i < calls; i++) outOfLine(targets, i % 2, i, 1)
