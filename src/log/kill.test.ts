/**
 * SIGKILL on real processes, with a reader in this process that follows along. More kills: `LOG_KILLS=100 npx vitest run
 * src/log/kill.test.ts`.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createNodeEnv } from '../platform/node.ts'
import { openLog } from './log.ts'
import { readRecords } from './records.ts'
import type { LogReader } from './reader.ts'

const kills = Number(process.env['LOG_KILLS'] ?? 8)
const env = createNodeEnv({ logLevel: 'error' })
const decoder = new TextDecoder()
let home: string

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'tidemill-kill-'))
  const entry = join(dirname(fileURLToPath(import.meta.url)), 'kill-child.test-support.ts')
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(home, 'child.mjs'),
  })
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Runs one life until it is killed; adds what it acknowledged. */
async function killedLife(
  directory: string,
  life: number,
  afterMs: number,
  acknowledged: Map<number, string>,
) {
  const child = spawn(process.execPath, [join(home, 'child.mjs'), directory, `${life}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  child.stdout.on('data', (chunk) => {
    const first = text === ''
    text += chunk
    if (first) setTimeout(() => child.kill('SIGKILL'), afterMs)
  })
  const code = await ended
  if (code !== null) throw new Error(`life ${life} ended by itself with ${code}: ${errors}`)
  // The last line may be cut off; the acknowledgement it would have told is unknown to us.
  for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) {
    const [what, offset, value] = line.split(' ')
    if (what === 'ack') acknowledged.set(Number(offset), value!)
  }
}

async function drainInto(reader: LogReader, seen: Map<number, string>): Promise<void> {
  for (let batches = await reader.read(); batches !== undefined; batches = await reader.read()) {
    for (const batch of batches) {
      for (const { offset, value } of readRecords(batch))
        seen.set(offset, decoder.decode(value!).split(' ')[0]!)
    }
  }
}

test(`${kills} SIGKILLs lose nothing that was acknowledged, and a reader beside never sees a change`, async () => {
  const directory = join(home, 'log')
  const log = openLog({ env, directory })
  await log.createTopic('t', { segmentBytes: 512 * 1024 })
  const follower = await log.openReader('t', 0, { chunkBytes: 65_536 })
  const acknowledged = new Map<number, string>()
  const followed = new Map<number, string>()
  for (let life = 0; life < kills; life++) {
    let living = true
    const following = (async () => {
      while (living) {
        await drainInto(follower, followed)
        await env.clock.sleep(5)
      }
    })()
    await killedLife(directory, life, 5 + ((life * 37) % 120), acknowledged)
    living = false
    await following
  }
  const writer = await log.openWriter('t', 0)
  expect(writer.recovery.clean).toBe(false)
  await drainInto(follower, followed)
  const stored = new Map<number, string>()
  await drainInto(await log.openReader('t', 0), stored)
  expect(stored.size).toBe(writer.nextOffset)
  expect([...followed.entries()]).toEqual([...stored.entries()])
  expect(new Set(stored.values()).size).toBe(stored.size)
  for (const [offset, value] of acknowledged) expect(stored.get(offset)).toBe(value)
  expect(acknowledged.size).toBeGreaterThan(kills)
  await log.close()
  expect((await log.verify('t')).problems).toEqual([])
}, 300_000)
