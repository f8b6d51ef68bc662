/**
 * All bars by group; `run.ts` bundles this and starts it once per group, since what ran before in a process shapes what
 * V8 makes of the rest: `node groups.mjs GROUP` prints one JSON object per bar.
 */
import { isMainThread } from 'node:worker_threads'
import type { Bar } from './bar.ts'
import { chainBars } from './chain.ts'
import { exchangeBars } from './exchange.ts'
import { decodeBars, encodeBars, retainBars, viewBars } from './frame.ts'
import { jsonLinesBars } from './jsonl.ts'
import { generatorsBars, rxBars, streamsBars } from './libraries.ts'
import { logBars } from './log.ts'
import { copyBars, rowsBars, serveHands, viewsBars } from './log-query.ts'
import { limitBars } from './limit.ts'
import { stateBars } from './state.ts'
import { windowBars } from './windows.ts'
import { workersBars } from './workers.ts'

type Bars = () => readonly Bar[] | Promise<readonly Bar[]>

const bars: Readonly<Record<string, Bars>> = {
  chain: chainBars,
  rxjs: rxBars,
  streams: streamsBars,
  generators: generatorsBars,
  views: viewBars,
  decode: decodeBars,
  encode: encodeBars,
  retain: retainBars,
  exchange: exchangeBars,
  windows: windowBars,
  state: stateBars,
  log: () => logBars(),
  'log-rows': rowsBars,
  'log-views': viewsBars,
  'log-copy': copyBars,
  jsonl: jsonLinesBars,
  workers: () => workersBars(),
  limit: () => limitBars(),
}

if (isMainThread) {
  const wanted = process.argv[2] ?? ''
  for (const one of (await bars[wanted]?.()) ?? []) console.log(JSON.stringify(one))
} else serveHands()
