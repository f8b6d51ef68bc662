/**
 * How much V8 may inline into one function. The loop of a chain is one function: views, user functions and state tables are
 * all inlined into it, and the default of 920 bytes of bytecode ends in the middle. Measured on windows and aggregates:
 * 1.1 to 1.2 times as many rows per CPU second with the larger budget (decision 0040), nothing for short chains.
 *
 * The setting is that of the whole process. `TIDEMILL_V8_FLAGS=keep` leaves it alone.
 */
import { setFlagsFromString } from 'node:v8'

const budgetBytes = 3_000

let raised = false

export function raiseInliningBudget(): void {
  if (raised || process.env['TIDEMILL_V8_FLAGS'] === 'keep') return
  raised = true
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${budgetBytes}`)
}
