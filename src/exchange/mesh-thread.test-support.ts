/** One thread of the two that exchange rows in `mesh.test.ts`; bundled and run as a worker. */
import { parentPort, workerData } from 'node:worker_threads'
import { MessageDecoder } from './decode.ts'
import { ExchangeWriter } from './exchange-writer.ts'
import { type MeshMemory, openMesh } from './mesh.ts'

export interface ThreadTask {
  readonly memory: MeshMemory
  readonly subtask: number
  readonly rows: number
}

export interface ThreadReport {
  readonly received: number
  readonly problems: readonly string[]
}

interface Row {
  readonly from: number
  readonly sequence: number
  readonly text: string
}

const SUBTASKS = 2

function run({ memory, subtask, rows }: ThreadTask, done: (report: ThreadReport) => void): void {
  const links = openMesh(memory, subtask)
  const peers = Array.from({ length: SUBTASKS }, (_, i) => i)
  const writer = new ExchangeWriter({
    fields: undefined,
    maxParallelism: 128,
    targets: peers.map((to) => links.writer(0, to)),
    keyed: true,
    where: 'test',
  })
  const decoders = peers.map(() => new MessageDecoder())
  const last = peers.map(() => -1)
  const problems: string[] = []
  let received = 0
  let ended = 0
  let sent = 0

  const check = (from: number, row: Row, key: unknown): void => {
    received++
    const fits =
      row.from === from &&
      row.sequence > last[from]! &&
      key === row.sequence &&
      row.text === textOf(row.sequence)
    if (!fits && problems.length < 5)
      problems.push(`from ${from}: ${JSON.stringify(row).slice(0, 80)}`)
    last[from] = row.sequence
  }
  const readAll = (): void => {
    for (const from of peers) {
      const reader = links.reader(0, from)
      for (let bytes = reader.read(); bytes !== undefined; bytes = reader.read()) {
        const message = decoders[from]!.decode(bytes)
        if (message.kind === 'end') ended++
        if (message.kind !== 'rows') continue
        const { frame, length, keys } = message.rows
        for (let i = 0; i < length; i++) check(from, frame!.row(i) as Row, keys[i])
      }
    }
  }
  const step = (): void => {
    readAll()
    while (writer.drain() && sent < rows) {
      // Now and then a turn of a few rows, so that batches of all sizes and idle moments occur.
      const turn = sent % 7 === 0 ? 300 : 5
      for (let k = 0; k < turn && sent < rows; k++, sent++)
        writer.send(sent, { from: subtask, sequence: sent, text: textOf(sent) }, sent, Number.NaN)
      writer.flush()
      if (sent === rows) writer.end()
      readAll()
    }
    if (sent < rows || writer.blocked || ended < SUBTASKS) return
    links.close()
    clearInterval(alive)
    done({ received, problems })
  }
  const alive = setInterval(() => {}, 1000)
  links.onNews(step)
}

/** Mostly short, sometimes longer than a ring. */
function textOf(sequence: number): string {
  return `row ${sequence} `.repeat(sequence % 997 === 0 ? 1000 : 1 + (sequence % 5))
}

// `as`: `mesh.test.ts` starts this file with such data.
run(workerData as ThreadTask, (report) => parentPort!.postMessage(report))
