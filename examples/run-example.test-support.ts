/** Runs an example as its users do - the program in a process of its own - and reads what it committed. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = fileURLToPath(new URL('..', import.meta.url))

/** Real data that the project does not contain; absent in most places. */
export const realData = join(projectRoot, '..', 'shared', 'data')

export interface ExampleRun {
  readonly exitCode: number | null
  readonly stderr: string
  /** The last line of standard output. */
  readonly summary: Readonly<Record<string, unknown>>
  /** Committed lines of each sink, sorted: how they are spread over files is free. */
  readonly sinks: Readonly<Record<string, readonly string[]>>
}

export interface ExampleOptions {
  readonly job: string
  readonly input: readonly string[]
  readonly mode: 'stream' | 'batch'
}

export async function runExample({ job, input, mode }: ExampleOptions): Promise<ExampleRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-example-'))
  try {
    const output = join(folder, 'out')
    const { exitCode, stdout, stderr } = await runProgram([
      'run',
      job,
      '--mode',
      mode,
      '--json',
      '--state',
      join(folder, 'state'),
      '--param',
      `input=${input.join(',')}`,
      '--param',
      `output=${output}`,
    ])
    const last = stdout.trimEnd().split('\n').at(-1) ?? ''
    return {
      exitCode,
      stderr,
      summary: last === '' ? {} : JSON.parse(last),
      sinks: committed(output),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export interface ProgramEnd {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export function runProgram(argv: readonly string[]): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['bin/tidemill.js', ...argv], { cwd: projectRoot })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}

/** The committed lines below `<output>/<sink>/`, sorted. */
export function committed(output: string): Readonly<Record<string, readonly string[]>> {
  const sinks: Record<string, readonly string[]> = {}
  for (const sink of existsSync(output) ? readdirSync(output) : []) {
    const files = readdirSync(join(output, sink)).filter((name) => name.endsWith('.jsonl'))
    sinks[sink] = files
      .flatMap((name) =>
        readFileSync(join(output, sink, name), 'utf8')
          .split('\n')
          .slice(0, -1),
      )
      .sort()
  }
  return sinks
}

/** Numbers that look random and are the same in every run, in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
