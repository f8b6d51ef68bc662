/** All bars by the file they are in; bundled by `run.ts`. */
import type { Bar } from './bar.ts'
import { chainBars } from './chain.ts'
import { frameBars } from './frame.ts'
import { jsonLinesBars } from './jsonl.ts'
import { logBars } from './log.ts'
import { logQueryBars } from './log-query.ts'
import { stateBars } from './state.ts'
import { windowBars } from './windows.ts'

export const bars: Readonly<Record<string, () => Promise<readonly Bar[]>>> = {
  chain: chainBars,
  frame: frameBars,
  windows: windowBars,
  state: stateBars,
  log: () => logBars(),
  'log-query': logQueryBars,
  jsonl: jsonLinesBars,
}
