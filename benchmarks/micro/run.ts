/** `micro`: every bar of the engine, one line each. */
import { rmSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundle } from '../bundle.ts'
import { listOf, parseOptions } from '../nexmark/arguments.ts'

const groups = ['chain', 'frame', 'windows', 'state', 'log', 'log-query', 'jsonl'] as const

export const microUsage = `Usage: npm run bench -- micro [options]

  --only LIST   ${groups.join(',')} (default: all)
  --json        one JSON object per line: bar, measured, required, holds`

export async function microCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    only: { type: 'string', default: groups.join(',') },
    json: { type: 'boolean', default: false },
  })
  const wanted = listOf('--only', values['only'], groups)
  const program = await bundle(fileURLToPath(new URL('./groups.ts', import.meta.url)))
  // `as`: that is what `groups.ts` exports.
  const { bars } = (await import(pathToFileURL(program).href)) as typeof import('./groups.ts')
  rmSync(program)
  let hold = true
  for (const group of wanted) {
    for (const bar of (await bars[group]?.()) ?? []) {
      hold &&= bar.holds
      const { measured, required, holds } = bar
      const line = `${holds ? 'holds' : 'FAILS'}  ${String(measured).padStart(8)}  ${required.padEnd(8)}  ${bar.bar}`
      console.log(values['json'] === true ? JSON.stringify(bar) : line)
    }
  }
  return hold ? 0 : 1
}
