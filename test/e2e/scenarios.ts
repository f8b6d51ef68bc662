/** The jobs that are killed, what they read, and what an undisturbed run of them leaves behind. */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { naiveHotItems } from '../../examples/hot-items/naive.test-support.ts'
import { naiveCellQuality } from '../../examples/cell-quality/naive.test-support.ts'
import { readFileSync } from 'node:fs'
import { cellQualityInput, hotItemsInput, type Order, ordersInput } from './inputs.ts'
import type { Watched } from './observer-process.ts'
import { committedLines, filesBelow, type JobRun, runProgram } from './program.ts'

export interface Scenario {
  readonly name: string
  readonly mode: 'stream' | 'batch'
  /** Makes the input once. */
  prepare(folder: string): Promise<void>
  /** How the job is started on this folder of a run. */
  run(folder: string): JobRun
  watched(folder: string): Watched
  /** Sorted lines per sink that are visible now; of a topic what its observer saw. */
  committed(folder: string, values: readonly string[]): Readonly<Record<string, readonly string[]>>
  /** What loops over the whole input without the engine say. */
  expected(): Readonly<Record<string, readonly string[]>>
}

export interface Sizes {
  readonly hotItemsCopies: number
  readonly cellQualityCopies: number
  readonly orders: number
}

const checkpointMs = 100

export function scenarios(sizes: Sizes): readonly Scenario[] {
  return [
    exampleOnFiles('hot-items', 'stream', sizes),
    exampleOnFiles('cell-quality', 'stream', sizes),
    logToLog(sizes),
    exampleOnFiles('hot-items', 'batch', sizes),
    exampleOnFiles('cell-quality', 'batch', sizes),
  ]
}

function exampleOnFiles(
  example: 'hot-items' | 'cell-quality',
  mode: 'stream' | 'batch',
  sizes: Sizes,
): Scenario {
  let input: readonly string[] = []
  return {
    name: example,
    mode,
    async prepare(folder) {
      input =
        example === 'hot-items'
          ? hotItemsInput(join(folder, 'behaviour.csv'), sizes.hotItemsCopies)
          : cellQualityInput(join(folder, 'traces'), sizes.cellQualityCopies)
    },
    run: (folder) => ({
      job: `test/e2e/jobs/${example}.ts`,
      state: join(folder, 'state'),
      params: { input: input.join(','), output: join(folder, 'output') },
      mode,
      intervalMs: checkpointMs,
    }),
    watched: (folder) => ({ kind: 'output', directory: join(folder, 'output') }),
    committed: (folder) => committedLines(join(folder, 'output')),
    expected() {
      const texts = input.map((file) => ({ file, text: readFileSync(file, 'utf8') }))
      if (example === 'hot-items') return { ...naiveHotItems(texts, mode) }
      return { ...naiveCellQuality(texts), 'late-cell-minute': [], 'late-coverage-hole': [] }
    },
  }
}

function logToLog(sizes: Sizes): Scenario {
  let input = ''
  let source = ''
  return {
    name: 'log-to-log',
    mode: 'stream',
    async prepare(folder) {
      input = ordersInput(join(folder, 'orders.jsonl'), sizes.orders)[0] ?? ''
      source = join(folder, 'log')
      if (existsSync(source)) return
      await succeed(['log', 'create', 'orders', '--dir', source, '--partitions', '4'])
      await succeed([
        'log',
        'append',
        'orders',
        '--dir',
        source,
        '--file',
        input,
        '--key',
        'customer',
      ])
    },
    run: (folder) => ({
      job: 'test/e2e/jobs/log-to-log.ts',
      state: join(folder, 'state'),
      params: { from: source, to: join(folder, 'log') },
      mode: 'stream',
      intervalMs: checkpointMs,
    }),
    watched: (folder) => ({ kind: 'topic', directory: join(folder, 'log'), topic: 'totals' }),
    committed: (_folder, values) => ({ totals: values }),
    expected() {
      const totals = new Map<string, { orders: number; sum: number }>()
      const lines = readFileSync(input, 'utf8').trimEnd().split('\n')
      // Orders of one customer are in one partition, so their order is that of the file.
      const out = lines.map((line) => {
        const { id, customer, amount } = JSON.parse(line) as Order
        const { orders, sum } = totals.get(customer) ?? { orders: 0, sum: 0 }
        const next = { orders: orders + 1, sum: sum + amount }
        totals.set(customer, next)
        return JSON.stringify({ customer, ...next, lastId: id })
      })
      return { totals: out.sort() }
    },
  }
}

async function succeed(argv: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(argv)
  if (exitCode !== 0) throw new Error(`tidemill ${argv.join(' ')}: ${stderr}`)
}

/** Files that nobody but a crashed life can have left, below a run's folder. */
export function leftovers(folder: string): readonly string[] {
  return filesBelow(folder).filter((path) => {
    const name = basename(path)
    const result = path.startsWith(join(folder, 'output'))
    return (
      /\.(pending|tmp|temp|draft|lock)$/.test(name) ||
      name.startsWith('.') ||
      (result && !name.endsWith('.jsonl'))
    )
  })
}
