/** A program of one's own that runs a job and does nothing else. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = pathToFileURL(join(root, 'src/index.ts')).href

/** One row after 400 ms; nothing of the source keeps a process. */
const program = (how: string): string => `
import { forEach, pipeline } from ${JSON.stringify(entry)}
const from = performance.now()
const early = () => performance.now() - from < 400
let given = false
const reader = {
  read: async () => {
    if (early()) return 'idle'
    if (given) return 'end'
    given = true
    return { kind: 'rows', rows: ['row'], rejected: [], locate: () => 'here' }
  },
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 10)).unref()),
  position: () => new Uint8Array([given ? 1 : 0]),
  close: async () => {},
}
const source = {
  role: 'source', connector: 'late', describe: {}, schema: undefined, bounded: true,
  open: async () => ({ partitions: async () => ['0'], reader: async () => reader, close: async () => {} }),
}
const app = pipeline('own')
app.from('late', source).keyBy((row) => row).count('rows').to('seen', forEach((row) => console.log(JSON.stringify(row))))
${how}
`

test.each([
  ['one subtask', "await app.run({ state: 'state' })"],
  ['two subtasks', "await app.run({ state: 'state', workers: 2 })"],
  ['a started job', "await (await app.start({ state: 'state' })).finished"],
])(
  'the process stays until its job has ended: %s',
  async (_, how) => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-own-'))
    try {
      const file = join(folder, 'program.mjs')
      writeFileSync(file, program(how))
      const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
      const run = () =>
        promisify(execFile)(process.execPath, ['--import', tsx, file], { cwd: folder })
      expect(await run()).toMatchObject({
        stdout: expect.stringContaining('"count":1'),
        stderr: '',
      })
      expect(await run()).toMatchObject({
        stdout: '',
        stderr: expect.stringContaining('own has finished before; remove state'),
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  30_000,
)
