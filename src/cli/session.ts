/** What all commands share: the machine, the exit code, and how results reach standard output. */
import { DiskError, type Env } from '../base/env.ts'
import { createNodeEnv } from '../platform/node.ts'

export class Session {
  exitCode = 0
  /** Results and errors are to be printed as JSON. */
  readonly json: boolean
  #env: Env | undefined

  constructor(json: boolean) {
    this.json = json
  }

  get env(): Env {
    this.#env ??= createNodeEnv({ logLevel: 'warn' })
    return this.#env
  }

  /** Lines of standard output. Rejects with {@link OutputClosed} when nobody reads them any more. */
  async print(...lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return
    try {
      await this.env.host.writeOut(`${lines.join('\n')}\n`)
    } catch (error) {
      throw isClosedPipe(error) ? new OutputClosed() : error
    }
  }

  async printJson(value: unknown): Promise<void> {
    await this.print(JSON.stringify(value))
  }
}

/** The reader of standard output went away, as `| head` does when it has enough. The command ends quietly. */
export class OutputClosed extends Error {}

function isClosedPipe(error: unknown): boolean {
  return (
    error instanceof DiskError &&
    (error.errno === 'EPIPE' || error.errno === 'ERR_STREAM_DESTROYED')
  )
}
