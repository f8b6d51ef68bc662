/** Node's decompression and the CSV parser behind {@link FileClients}. */
import { createGunzip } from 'node:zlib'
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors } from '../errors.ts'
import {
  type Decompressor,
  type ExpansionLimits,
  type FileClients,
  installFileClients,
  type QuotedSplitter,
} from './clients.ts'
import { standardInput } from './stdin/client.ts'

/** Makes gzip files and quoted CSV readable in this thread. */
export function installNodeFileClients(): void {
  installFileClients(nodeFileClients)
}

const nodeFileClients: FileClients = { gunzip, loadQuotedSplitter, standardInput }

/** The first output of a stream may be far larger than its share of the input: headers and tables come first. */
const ratioSlackBytes = 1 << 26

/**
 * The stream runs in the thread pool. It is flowing all the time: what an input expands to arrives in `out` before its
 * write comes back or, in order, before the next one does.
 *
 * A zero byte behind a member ends the stream, and the write that held it never comes back. Zeros are what fills up the
 * last block of a tape or a device, so they are passed over like `gzip` does, and anything behind them is damage.
 */
function gunzip(limits: ExpansionLimits): Decompressor {
  const stream = createGunzip({ chunkSize: 1 << 18 })
  let out: Uint8Array[] = []
  let inputBytes = 0
  let outputBytes = 0
  let ended = false
  let failed: Error | undefined
  let onFailure: ((error: Error) => void) | undefined
  let onEnd: (() => void) | undefined
  const fail = (error: Error): void => {
    failed ??= error
    onFailure?.(failed)
  }
  stream.on('data', (piece: Buffer) => {
    outputBytes += piece.length
    const allowed = Math.min(limits.outputBytesMax, inputBytes * limits.ratioMax + ratioSlackBytes)
    if (outputBytes <= allowed) out.push(piece)
    else if (failed === undefined) {
      out = []
      fail(bomb(limits, inputBytes, outputBytes))
      stream.destroy()
    }
  })
  stream.on('error', (cause) => fail(damaged(limits.file, cause)))
  stream.on('end', () => {
    ended = true
    onEnd?.()
  })
  const requireZeros = (rest: Uint8Array): void => {
    if (rest.every((byte) => byte === 0)) return
    throw damaged(limits.file, new Error('something else follows the compressed data'))
  }
  const run = (
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<readonly Uint8Array[]> =>
    new Promise((resolve, reject) => {
      if (failed !== undefined) return reject(failed)
      onFailure = reject
      const done = (error?: Error | null): void => {
        if (error) fail(damaged(limits.file, error))
        onFailure = undefined
        onEnd = undefined
        const pieces = out
        out = []
        if (failed === undefined) resolve(pieces)
        else reject(failed)
      }
      onEnd = done
      start(done)
    })
  return {
    async push(input) {
      inputBytes += input.length
      if (ended) {
        requireZeros(input)
        return []
      }
      const pieces = await run((done) => {
        stream.write(input, done)
      })
      if (ended) requireZeros(input.subarray(input.length - (inputBytes - stream.bytesWritten)))
      return pieces
    },
    finish: async () => (ended ? [] : run(() => stream.end())),
    close: () => {
      stream.destroy()
    },
  }
}

function damaged(file: string, cause: Error): TidemillError {
  return new TidemillError(connectorErrors.compressionDamaged, {
    message: `${file}: ${cause.message}`,
    details: { file },
  })
}

function bomb(limits: ExpansionLimits, inputBytes: number, outputBytes: number): TidemillError {
  const { file } = limits
  return new TidemillError(connectorErrors.compressionBomb, {
    message: `${file}: ${outputBytes} bytes from ${inputBytes}`,
    details: { file, outputBytesMax: limits.outputBytesMax, ratioMax: limits.ratioMax },
  })
}

async function loadQuotedSplitter(): Promise<QuotedSplitter> {
  const { parse } = await import('csv-parse/sync').catch(() => {
    throw new TidemillError(connectorErrors.clientMissing, {
      message: 'quoted CSV values need the package csv-parse: npm install csv-parse@7',
    })
  })
  return (records, delimiter) =>
    parse(records, {
      delimiter,
      relax_column_count: true,
      record_delimiter: ['\n', '\r\n'],
    }) as string[][]
}
