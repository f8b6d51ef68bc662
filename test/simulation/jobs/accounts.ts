/**
 * Bank transfers. Each becomes two postings in one call, so that every published epoch, not only the last one, has
 * balances that sum up to zero (O03).
 */
import { fileSink } from '../../../src/connectors/file-sink/file-sink.ts'
import { lines } from '../../../src/connectors/file/lines.ts'
import { int } from '../../../src/schema/scalars.ts'
import { field, struct } from '../../../src/schema/struct.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import { valueState } from '../../../src/stream/state.ts'
import type { OutputFile } from '../../../src/testing/simulate/observer.ts'
import type { Violation } from '../../../src/testing/simulate/violation.ts'
import { compareLines, type JobMaker, paced } from './support.ts'

const balance = struct('balance', {
  account: field(1, int),
  serial: field(2, int),
  cents: field(3, int),
})

interface Posting {
  readonly account: number
  readonly cents: number
}

export const accounts: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  const count = Math.max(2, sizes.keys)
  const transfers = Array.from({ length: sizes.records }, () => {
    const from = random.u32() % count
    return {
      from,
      to: (from + 1 + (random.u32() % (count - 1))) % count,
      cents: 1 + (random.u32() % 500),
    }
  })
  const totals = new Map<number, { serial: number; cents: number }>()
  const expected: string[] = []
  for (const { account, cents } of transfers.flatMap(postings)) {
    const before = totals.get(account) ?? { serial: 0, cents: 0 }
    const after = { serial: before.serial + 1, cents: before.cents + cents }
    totals.set(account, after)
    expected.push(JSON.stringify({ account, ...after }))
  }
  return {
    name: 'accounts',
    files: {
      '/in/transfers.jsonl': transfers.map((transfer) => `${JSON.stringify(transfer)}\n`).join(''),
    },
    outputs: [{ sink: 'balances', directory: '/out/balances', extension: '.jsonl' }],
    intervalMs,
    plan() {
      const app = pipelineOn(undefined)('accounts')
      const source = lines('/in/transfers.jsonl', {
        chunkBytes: sizes.segmentBytes,
        batchRowsMax: sizes.bufferRecords,
      })
      app
        .from('transfers', paced(source, paceMs))
        .map((line): { readonly from: number; readonly to: number; readonly cents: number } =>
          JSON.parse(line),
        )
        .flatMap(postings)
        .keyBy((posting) => posting.account)
        .process('balance', {
          state: {
            serial: valueState(int, { initial: 0 }),
            cents: valueState(int, { initial: 0 }),
          },
          output: balance,
          onRecord(posting, ctx) {
            const { serial, cents } = ctx.state
            serial.set(serial.get() + 1)
            cents.set(cents.get() + posting.cents)
            ctx.emit({ account: posting.account, serial: serial.get(), cents: cents.get() })
          },
        })
        .to('balances', fileSink({ directory: '/out' }))
      return app.plan()
    },
    check: ({ outputs, committed }) =>
      conserved(outputs.get('balances') ?? [], committed) ??
      compareLines('balances', outputs, expected),
  }
}

function postings({
  from,
  to,
  cents,
}: {
  readonly from: number
  readonly to: number
  readonly cents: number
}): readonly Posting[] {
  return [
    { account: from, cents: -cents },
    { account: to, cents },
  ]
}

/**
 * File names begin with the epoch that prepared them. One whose attempt failed is shown with the next that commits: the
 * other subtasks may have prepared nothing for it.
 */
function conserved(
  files: readonly OutputFile[],
  committed: readonly number[],
): Violation | undefined {
  const shownIn = ({ name }: OutputFile): number => {
    const prepared = Number(name.slice(1, 9))
    return committed.find((epoch) => epoch >= prepared) ?? Number.POSITIVE_INFINITY
  }
  const epochs = [...new Set(files.map(shownIn))].sort((a, b) => a - b)
  const latest = new Map<number, number>()
  for (const epoch of epochs) {
    const texts = files.filter((file) => shownIn(file) === epoch).map(({ text }) => text)
    for (const line of texts.join('').split('\n')) {
      if (line === '') continue
      const { account, cents } = JSON.parse(line) as {
        readonly account: number
        readonly cents: number
      }
      latest.set(account, cents)
    }
    let sum = 0
    for (const cents of latest.values()) sum += cents
    if (sum !== 0)
      return {
        oracle: 'O03',
        title: 'money was lost or made',
        message: `the balances of epoch ${epoch} sum up to ${sum}`,
      }
  }
  return undefined
}
