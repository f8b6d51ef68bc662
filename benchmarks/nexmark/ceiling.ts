/** What several processes of this machine reach together: how many times the work of one they do in the same time. */
import { spawn } from 'node:child_process'

const PROGRAM = `
const until = process.hrtime.bigint() + BigInt(process.argv[1]) * 1000000n
let x = 1, steps = 0
while (process.hrtime.bigint() < until) {
  for (let i = 0; i < 1000000; i++) x = Math.imul(x ^ (x >>> 13), 0x5bd1e995) + i
  steps++
}
console.log(x === 0 ? 0 : steps)
`

export async function spinCeiling(processes: number, ms: number = 1_000): Promise<number> {
  const alone = await spin(ms)
  const together = await Promise.all(Array.from({ length: processes }, () => spin(ms)))
  return together.reduce((sum, steps) => sum + steps, 0) / alone
}

/** Millions of steps in so many milliseconds. */
function spin(ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const args = ['--eval', PROGRAM, '--', String(ms)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', () => resolve(Number(output)))
  })
}
