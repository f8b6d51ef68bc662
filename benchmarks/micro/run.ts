/** `micro`: every bar of the engine, one line each. */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { listOf, parseOptions } from '../nexmark/arguments.ts'
import type { Bar } from './bar.ts'

const groups = [
  'chain',
  'rxjs',
  'streams',
  'generators',
  'views',
  'decode',
  'encode',
  'retain',
  'exchange',
  'windows',
  'state',
  'log',
  'log-rows',
  'log-views',
  'log-copy',
  'jsonl',
  'workers',
  'limit',
] as const

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
  let hold = true
  try {
    for (const group of wanted) {
      const code = await runGroup(program, group, (bar) => {
        hold &&= bar.holds !== false
        const { measured, required, holds, skipped } = bar
        const verdict = skipped === undefined ? (holds === true ? 'holds' : 'FAILS') : 'skips'
        const name = skipped === undefined ? bar.bar : `${bar.bar}: ${skipped}`
        const line = `${verdict}  ${String(measured ?? '').padStart(8)}  ${required.padEnd(8)}  ${name}`
        console.log(values['json'] === true ? JSON.stringify(bar) : line)
      })
      if (code !== 0) return 1
    }
  } finally {
    rmSync(program)
  }
  return hold ? 0 : 1
}

/** Runs one group in a process of its own; returns its exit code once every bar was given to `report`. */
async function runGroup(
  program: string,
  group: string,
  report: (bar: Bar) => void,
): Promise<number> {
  const child = spawn(process.execPath, [program, group], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
  // `as`: what `groups.ts` prints.
  for await (const line of createInterface({ input: child.stdout })) report(JSON.parse(line) as Bar)
  return ended
}
