import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

const bin = fileURLToPath(new URL('../../bin/tidemill.js', import.meta.url))

const endless = `
import { datagen, pipeline, stdout } from 'tidemill'
const app = pipeline('endless')
app.from('numbers', datagen({ row: (n) => ({ n }), ratePerSec: 1000 })).to('print', stdout())
await app.run({ state: 'state' })
`

/** A shell pipe: the reader takes one line and goes. Resolves to the exit code of the writer. */
async function pipedToHead(...command: readonly string[]): Promise<{
  readonly exitCode: number | null
  readonly stderr: string
}> {
  const writer = spawn(process.execPath, command, { cwd: folder.path })
  let stderr = ''
  writer.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // The only reader of the pipe goes away after its first portion.
  writer.stdout.once('data', () => writer.stdout.destroy())
  const exitCode = await new Promise<number | null>((resolve) => writer.on('close', resolve))
  return { exitCode, stderr }
}

test('a job whose reader has enough ends with 141, silently, and prints the rest at the next start', async () => {
  const name = folder.file('endless.ts', endless)
  const end = await pipedToHead(bin, 'run', name)
  expect(end).toEqual({ exitCode: 141, stderr: '' })
  // The state directory was left as after a kill: it is free, and the job goes on from it.
  const again = folder.start('run', name)
  await again.saw('{"n":')
  again.child.kill('SIGTERM')
  expect((await again.end).exitCode).toBe(0)
}, 30_000)
