/** The program as a process, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/tidemill.js', import.meta.url))

export interface ProgramEnd {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningProgram {
  readonly child: ChildProcess
  readonly end: Promise<ProgramEnd>
  /** Resolves when standard output or standard error contains `text`. */
  saw(text: string): Promise<void>
}

/** A temporary folder in which programs run. */
export class ProgramFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'tidemill-cli-'))

  file(name: string, content: string): string {
    writeFileSync(join(this.path, name), content)
    return name
  }

  start(...argv: readonly string[]): RunningProgram {
    const child = spawn(process.execPath, [bin, ...argv], { cwd: this.path })
    let stdout = ''
    let stderr = ''
    const waiting = new Set<() => void>()
    const wake = (): void => {
      for (const check of waiting) check()
    }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      wake()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      wake()
    })
    const end = new Promise<ProgramEnd>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
    })
    const saw = (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (stdout.includes(text) || stderr.includes(text)) {
            waiting.delete(check)
            resolve()
          }
        }
        waiting.add(check)
        check()
        end.then(() => reject(new Error(`it ended without saying ${text}: ${stderr}`)), reject)
      })
    return { child, end, saw }
  }

  run(...argv: readonly string[]): Promise<ProgramEnd> {
    return this.start(...argv).end
  }

  /** With `input` on standard input. */
  async runOn(input: string | Uint8Array, ...argv: readonly string[]): Promise<ProgramEnd> {
    const { child, end } = this.start(...argv)
    child.stdin?.end(input)
    return await end
  }

  /** Committed lines of a sink, sorted. */
  lines(output: string, sink: string): readonly string[] {
    const folder = join(this.path, output, sink)
    return readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1))
      .sort()
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The last line of standard output, which `--json` promises to be one object. */
export function lastObject({ stdout }: ProgramEnd): Readonly<Record<string, unknown>> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

/** Numbers from a generator to files; `rate` and `count` are parameters. */
export const numbersJob = `
import { datagen, fileSink, param, pipeline } from 'tidemill'
const app = pipeline('numbers')
app.from('numbers', datagen({
  row: (n) => ({ n }), count: Number(param('count', '500')), ratePerSec: Number(param('rate', '1000000')),
})).to('out', fileSink({ directory: param('output', 'out') }))
await app.run()
`
