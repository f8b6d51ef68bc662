/** P15: from the start of the process to the first result of q1, through the command line tool. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { datasets } from './dataset.ts'
import { writeJsonLines } from './jsonl.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const JOB = fileURLToPath(new URL('./startup.job.ts', import.meta.url))
const REQUIRED_MS = 500

export async function startupCommand(repetitions: number, json: boolean): Promise<number> {
  const input = writeJsonLines(datasets.D2)[0]?.path ?? ''
  const times: number[] = []
  for (let i = 0; i < repetitions; i++) times.push(await firstResultMs(input))
  times.sort((a, b) => a - b)
  const ms = (value: number | undefined): number => Math.round(value ?? Number.NaN)
  const result = {
    metric: 'P15',
    query: 'q1',
    profile: 'S2',
    firstResultMs: {
      median: ms(times[times.length >> 1]),
      min: ms(times[0]),
      max: ms(times.at(-1)),
    },
    requiredMs: REQUIRED_MS,
    holds: (times[times.length >> 1] ?? Number.NaN) <= REQUIRED_MS,
  }
  console.log(
    json
      ? JSON.stringify(result)
      : `start to first result of q1: ${result.firstResultMs.median} ms (goal ${REQUIRED_MS})`,
  )
  return 0
}

/** Starts the job and waits for its first byte of output, then kills it. */
async function firstResultMs(input: string): Promise<number> {
  const state = mkdtempSync(join(tmpdir(), 'tidemill-startup-'))
  try {
    return await new Promise((resolve, reject) => {
      const beganMs = performance.now()
      const args = [
        'bin/tidemill.js',
        'run',
        JOB,
        '--param',
        `input=${input}`,
        '--state',
        join(state, 'state'),
      ]
      const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
      let firstMs: number | undefined
      let errors = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        errors += text
      })
      child.stdout.on('data', () => {
        firstMs ??= performance.now() - beganMs
        child.kill('SIGKILL')
      })
      child.on('error', reject)
      child.on('close', () => {
        if (firstMs === undefined) reject(new Error(`no result: ${errors.trim()}`))
        else resolve(firstMs)
      })
    })
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}
