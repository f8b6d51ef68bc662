/** The program as its users start it: a process of its own, with its output, its end and what it left on disk. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

export interface ProgramEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The last line of standard output, when it is an object; else empty. */
  readonly summary: Readonly<Record<string, unknown>>
}

export interface StartedProgram {
  readonly child: ChildProcess
  readonly ended: Promise<ProgramEnd>
  /** Resolves when standard error has shown this; rejects when the program ends without it. */
  said(text: string): Promise<void>
}

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export function startProgram(
  argv: readonly string[],
  options: ProgramOptions = {},
): StartedProgram {
  const child = spawn(process.execPath, [join(projectRoot, 'bin/tidemill.js'), ...argv], {
    cwd: options.cwd ?? projectRoot,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<ProgramEnd>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode, signal) =>
      resolve({ exitCode, signal, stdout, stderr, summary: lastObject(stdout) }),
    )
  })
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stderr.includes(text) || stdout.includes(text)) resolve()
      }
      look()
      child.stderr.on('data', look)
      child.stdout.on('data', look)
      child.on('close', () => reject(new Error(`ended without saying "${text}":\n${stderr}`)))
    })
  return { child, ended, said }
}

export function runProgram(argv: readonly string[], options?: ProgramOptions): Promise<ProgramEnd> {
  return startProgram(argv, options).ended
}

export interface JobRun {
  readonly job: string
  readonly state: string
  readonly params?: Readonly<Record<string, string>>
  readonly mode?: 'stream' | 'batch'
  readonly intervalMs?: number
  readonly more?: readonly string[]
}

/** The arguments of `tidemill run`, with `--json`. */
export function runArguments({
  job,
  state,
  params = {},
  mode,
  intervalMs,
  more = [],
}: JobRun): string[] {
  return [
    'run',
    job,
    '--json',
    '--state',
    state,
    ...(mode === undefined ? [] : ['--mode', mode]),
    ...(intervalMs === undefined ? [] : ['--checkpoint-interval', `${intervalMs}ms`]),
    ...Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]),
    ...more,
  ]
}

/** The committed lines below `<output>/<sink>/`, sorted: how they are spread over files is free. */
export function committedLines(output: string): Record<string, readonly string[]> {
  const sinks: Record<string, readonly string[]> = {}
  for (const sink of existsSync(output) ? readdirSync(output).sort() : []) {
    const files = readdirSync(join(output, sink)).filter((name) => name.endsWith('.jsonl'))
    const lines = files.flatMap((name) =>
      readFileSync(join(output, sink, name), 'utf8')
        .split('\n')
        .slice(0, -1),
    )
    sinks[sink] = lines.sort()
  }
  return sinks
}

/** Paths of all files below a directory. */
export function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function lastObject(stdout: string): Readonly<Record<string, unknown>> {
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return last.startsWith('{') && last.endsWith('}') ? JSON.parse(last) : {}
}
