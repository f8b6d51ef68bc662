/**
 * Counts rows per key and hurts itself where it is told to. What to do is in the environment, not in parameters, so that
 * the same job can be started again in good health: `HURT` is `what@id`, `PACE` the rows between two pauses of 1 ms.
 */
import { writeSync } from 'node:fs'
import { fileSink, files, lines, param, pipeline } from 'tidemill'

const [what = 'nothing', at = '-1'] = (process.env['HURT'] ?? '').split('@')
const pace = Number(process.env['PACE'] ?? 0)
const policy = param('policy', 'fail') as 'fail' | 'skip' | 'dead-letter'

const app = pipeline('hurt', { onError: { user: policy, decode: policy } })

app
  .from('rows', lines(files(param('input'))))
  .map((line) => {
    const [id = '', key = ''] = line.split(',')
    if (id === at) hurt()
    if (pace > 0 && Number(id) % pace === 0) pause()
    return { id: Number(id), key }
  })
  .keyBy((row) => row.key)
  .count('rows-of-key')
  .map(({ key, count }) => ({ key, count }))
  .to('counts', fileSink({ directory: param('output') }))

function hurt(): void {
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
      hurt()
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

await app.run()
