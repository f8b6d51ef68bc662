/** The process that the kill test kills: appends from 16 clients and prints every acknowledgement. */
import { writeSync } from 'node:fs'
import { createNodeEnv } from '../platform/node.ts'
import { openLog } from './log.ts'
import { recordsBatch } from './records.ts'

const pause = new Int32Array(new SharedArrayBuffer(4))
const [directory = '', life = ''] = process.argv.slice(2)
const log = openLog({ env: createNodeEnv({ logLevel: 'error' }), directory })
const writer = await log.openWriter('t', 0, { owner: `life ${life}` })
const { clean, cut } = writer.recovery
say(`open ${writer.recovery.endOffset} ${clean} ${cut === undefined ? 0 : cut.bytes}\n`)
const encoder = new TextEncoder()
let next = 0

async function client(): Promise<void> {
  for (;;) {
    const value = `${life}-${next++}`
    const padded = encoder.encode(`${value} ${'x'.repeat((next * 131) % 900)}`)
    const { baseOffset } = await writer.append(
      recordsBatch([{ key: null, value: padded, timestamp: next }]),
    )
    say(`ack ${baseOffset} ${value}\n`)
  }
}

/** The pipe does not block: its reader may be behind on a busy machine. */
function say(line: string): void {
  for (let rest = line; ; ) {
    try {
      rest = rest.slice(writeSync(1, rest)) // ASCII
      if (rest === '') return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

await Promise.all(Array.from({ length: 16 }, client))
