/**
 * Counts rows per key and hurts itself where it is told to. What to do is in the environment, not in parameters, so that
 * the same job can be started again in good health: `HURT` is `what@id`, or several with commas, `PACE` the rows between
 * two pauses of 1 ms. With `HURT_ONCE`, a folder, each of them happens in one life only.
 */
import { existsSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileSink, files, lines, param, pipeline } from 'tidemill'

const hurts = new Map(
  (process.env['HURT'] ?? '').split(',').map((hurt) => {
    const [what = 'nothing', at = '-1'] = hurt.split('@')
    return [at, what]
  }),
)
const once = process.env['HURT_ONCE']
const pace = Number(process.env['PACE'] ?? 0)
const policy = param('policy', 'fail') as 'fail' | 'skip' | 'dead-letter'

const app = pipeline('hurt', { onError: { user: policy, decode: policy } })

app
  .from('rows', lines(files(param('input'))))
  .map((line) => {
    const [id = '', key = ''] = line.split(',')
    const what = hurts.get(id)
    if (what !== undefined && isTime(what)) hurt(what)
    if (pace > 0 && Number(id) % pace === 0) pause()
    return { id: Number(id), key }
  })
  .keyBy((row) => row.key)
  .count('rows-of-key')
  .map(({ key, count }) => ({ key, count }))
  .to('counts', fileSink({ directory: param('output') }))

function isTime(what: string): boolean {
  if (once === undefined) return true
  const done = join(once, what)
  if (existsSync(done)) return false
  writeFileSync(done, '')
  return true
}

function hurt(what: string): void {
  switch (what) {
    case 'throw':
      throw new TypeError('the row is not to my liking')
    case 'throw-null':
      throw null
    case 'exit':
      process.exit(3)
      break
    case 'memory': {
      const kept: object[] = []
      for (;;) kept.push(new Array(100_000).fill(kept.length))
    }
    case 'stack':
      hurt(what)
      break
    case 'timer':
      setTimeout(() => {
        throw new Error('thrown where nobody catches')
      }, 1)
      break
    case 'loop':
      // Not through the console: a thread that never yields never hands its text over.
      writeSync(2, 'in an endless loop\n')
      for (;;) pause()
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
}

// The module is loaded, and the thread ends before it is told what to do.
if (process.env['HURT_LOADED'] !== undefined) setImmediate(() => process.exit(3))

await app.run()
