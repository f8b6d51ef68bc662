/** `micro`: every bar of the engine, one line each. */
import { listOf, parseOptions } from '../nexmark/arguments.ts'
import type { Bar } from './bar.ts'

const groups = ['chain', 'frame', 'windows', 'state', 'log', 'log-query'] as const

export const microUsage = `Usage: npm run bench -- micro [options]

  --only LIST   ${groups.join(',')} (default: all)
  --json        one JSON object per line: bar, measured, required, holds`

const bars: { readonly [Group in (typeof groups)[number]]: () => Promise<readonly Bar[]> } = {
  chain: async () => (await import('./chain.ts')).chainBars(),
  frame: async () => (await import('./frame.ts')).frameBars(),
  windows: async () => (await import('./windows.ts')).windowBars(),
  state: async () => (await import('./state.ts')).stateBars(),
  log: async () => (await import('./log.ts')).logBars(),
  'log-query': async () => (await import('./log-query.ts')).logQueryBars(),
}

export async function microCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    only: { type: 'string', default: groups.join(',') },
    json: { type: 'boolean', default: false },
  })
  let hold = true
  for (const group of listOf('--only', values['only'], groups)) {
    for (const bar of await bars[group]()) {
      hold &&= bar.holds
      const { measured, required, holds } = bar
      const line = `${holds ? 'holds' : 'FAILS'}  ${String(measured).padStart(8)}  ${required.padEnd(8)}  ${bar.bar}`
      console.log(values['json'] === true ? JSON.stringify(bar) : line)
    }
  }
  return hold ? 0 : 1
}
