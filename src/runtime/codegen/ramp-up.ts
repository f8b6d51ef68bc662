/**
 * The first rows of a chain in small groups. V8 optimises a loop by what it has seen of it, and a loop that runs long enough is
 * optimised while it runs its first time: before anything behind it has run, and before what it calls was called often enough to be
 * inlined (decision 0049). What was missing makes it throw the result away at the end of the call and, often, keep a second one that was
 * made for entering in the middle of the loop, which is two to three times slower for good.
 */

/** A loop over rows `from` to `to` of a batch; two calls with adjoining rows do what one call with all of them does. */
type Loop<Batch> = (batch: Batch, from: number, to: number) => void

/** Rows of the first call; each that follows has twice as many. */
const first = 1
/** A call of so many is a call like any other. */
const enough = 1024

export function rampUp<Batch>(loop: Loop<Batch>): Loop<Batch> {
  let rows = first
  return (batch, from, to) => {
    let next = from
    while (rows < enough && next < to) {
      const until = Math.min(to, next + rows)
      loop(batch, next, until)
      next = until
      rows *= 2
    }
    if (next < to) loop(batch, next, to)
  }
}
