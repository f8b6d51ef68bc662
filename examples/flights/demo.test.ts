import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { projectRoot } from '../run-example.test-support.ts'

// 150,000 flights end on the millisecond at which a window closes.
test('without a terminal the demo tells the whole story, proves it and exits with 0', async () => {
  const argv = [
    '--import',
    'tsx',
    'examples/flights/demo.ts',
    '--rows',
    '150000',
    '--rate',
    '60000',
  ]
  const demo = spawn(process.execPath, argv, {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  demo.stdout.on('data', (text) => (stdout += text))
  demo.stderr.on('data', (text) => (stderr += text))
  const exitCode = await new Promise((resolve) => demo.on('close', resolve))
  expect(stderr).toBe('')
  const story = [
    'first results are committed',
    'SIGKILL',
    'recovered',
    'proof, after 1 SIGKILL',
    'nothing lost, nothing doubled',
  ]
  const places = story.map((part) => stdout.indexOf(part))
  expect(places.every((at, i) => at > (places[i - 1] ?? -1))).toBe(true)
  expect(stdout).toMatch(/flights read from the log +expected +150,000 +actual +150,000/)
  expect(exitCode).toBe(0)
}, 60_000)
