/** Commands inside the test's own process: a tenth of the time of a process of its own. */
import { main } from './main.ts'
import type { ProgramEnd } from './program.test-support.ts'

/** Runs one command in `folder` with both output streams captured. One at a time. */
export async function runHere(folder: string, ...argv: readonly string[]): Promise<ProgramEnd> {
  const before = process.cwd()
  const out = capture(process.stdout)
  const err = capture(process.stderr)
  process.chdir(folder)
  try {
    const exitCode = await main(argv)
    return { exitCode, stdout: out.text(), stderr: err.text() }
  } finally {
    process.chdir(before)
    out.restore()
    err.restore()
  }
}

function capture(stream: NodeJS.WriteStream): { text(): string; restore(): void } {
  const write = stream.write
  let text = ''
  stream.write = (chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
    text += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk)
    const done = rest.at(-1)
    if (typeof done === 'function') done()
    return true
  }
  return {
    text: () => text,
    restore() {
      stream.write = write
    },
  }
}
