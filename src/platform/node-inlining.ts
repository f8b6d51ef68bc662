/**
 * What V8 inlines into one function. The loop of a chain is one function: views, user functions and state tables are
 * all inlined into it, and the default of 920 bytes of bytecode ends in the middle, so the budget is larger (decision
 * 0040). The functions around the loop would use it up on paths that are hardly ever taken, so calls in such paths stay
 * calls (decision 0057).
 *
 * The settings are those of the whole process. `TIDEMILL_V8_FLAGS=keep` leaves them alone.
 */
import { setFlagsFromString } from 'node:v8'

const budgetBytes = 3_000
/** Calls made in fewer runs of a function than this share stay calls. A call in a loop runs more than once. */
const leastFrequency = 0.9

let tuned = false

export function tuneInlining(): void {
  if (tuned || process.env['TIDEMILL_V8_FLAGS'] === 'keep') return
  tuned = true
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${budgetBytes}`)
  setFlagsFromString(`--min-inlining-frequency=${leastFrequency}`)
}
