/** Rows and frames that are in memory. */
import { TidemillError } from '../../base/errors.ts'
import type { Frame } from '../../frame/frame.ts'
import { Reader, Writer } from '../../schema/bytes.ts'
import type { Schema } from '../../schema/types.ts'
import type { PartitionReader, Position, Source, SourceBatch, SourceHandle } from '../contract.ts'
import { badOption, connectorErrors } from '../errors.ts'
import { requireWhole } from '../file/file-source.ts'

export interface MemorySourceOptions<Row> {
  /** Row i goes to partition i modulo this number. Default 1. */
  readonly partitions?: number
  readonly schema?: Schema<Row>
}

const batchRows = 1024

/**
 * The rows of an array, for tests and small inputs. The array is read when the job runs and must not change then.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function memorySource<Row>(
  rows: readonly Row[],
  options: MemorySourceOptions<Row> = {},
): Source<Row> {
  const { partitions = 1, schema } = options
  requireWhole('memorySource', 'partitions', partitions, 1, 65_536)
  return source(
    'memory',
    schema,
    partitions,
    (partition) => {
      const own = partitions === 1 ? rows : rows.filter((_, i) => i % partitions === partition)
      return (at): Step<Row> => {
        if (at >= own.length) return 'end'
        const part = at === 0 && own.length <= batchRows ? own : own.slice(at, at + batchRows)
        return {
          batch: {
            kind: 'rows',
            rows: part,
            rejected: [],
            locate: (i) => `row ${(at + i) * partitions + partition}`,
          },
          next: at + part.length,
        }
      }
    },
    (partition) => Math.ceil((rows.length - partition) / partitions),
  )
}

export interface MemoryFramesOptions<Row> {
  readonly schema?: Schema<Row>
}

/**
 * Frames as they are: the fastest source, for measurements. One list is one partition; a list of lists is one partition
 * each. Positions are frame numbers.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function memoryFrames<Row>(
  frames: readonly Frame[] | readonly (readonly Frame[])[],
  options: MemoryFramesOptions<Row> = {},
): Source<Row> {
  const lists =
    frames.length > 0 && Array.isArray(frames[0])
      ? (frames as readonly (readonly Frame[])[])
      : [frames as readonly Frame[]]
  return source<Row>(
    'memoryFrames',
    options.schema,
    lists.length,
    (partition) => {
      const own = lists[partition] ?? []
      return (at) => {
        const frame = own[at]
        return frame === undefined
          ? 'end'
          : {
              batch: { kind: 'frame', frame, locate: (i) => `frame ${at}, row ${i}` },
              next: at + 1,
            }
      }
    },
    (partition) => lists[partition]?.length ?? 0,
  )
}

type Step<Out> = { readonly batch: SourceBatch<Out>; readonly next: number } | 'end'

function source<Out>(
  connector: string,
  schema: Schema<Out> | undefined,
  partitions: number,
  open: (partition: number) => (at: number) => Step<Out>,
  count: (partition: number) => number,
): Source<Out> {
  return Object.freeze<Source<Out>>({
    role: 'source',
    connector,
    describe: Object.freeze({ partitions }),
    schema,
    bounded: true,
    open: async (): Promise<SourceHandle<Out>> => ({
      partitions: async () => Array.from({ length: partitions }, (_, i) => String(i)),
      reader: async (partition, position) => {
        const index = Number(partition)
        if (!(index < partitions))
          throw badOption(`${connector}: there is no partition ${partition}`)
        return new StepReader(connector, open(index), count(index), position)
      },
      close: async () => undefined,
    }),
  })
}

class StepReader<Out> implements PartitionReader<Out> {
  readonly #step: (at: number) => Step<Out>
  readonly #count: number
  #at: number

  constructor(
    connector: string,
    step: (at: number) => Step<Out>,
    count: number,
    position: Position | undefined,
  ) {
    this.#step = step
    this.#count = count
    this.#at = position === undefined ? 0 : decodeIndex(position, connector)
    if (this.#at > count) throw goneRows(connector, this.#at, count)
  }

  poll(): SourceBatch<Out> | 'end' {
    const step = this.#step(this.#at)
    if (step === 'end') return 'end'
    this.#at = step.next
    return step.batch
  }

  read(): Promise<SourceBatch<Out> | 'end'> {
    return Promise.resolve(this.poll())
  }

  wait(): Promise<void> {
    return Promise.resolve()
  }

  position(): Position {
    return encodeIndex(this.#at)
  }

  lag(): Promise<number> {
    return Promise.resolve(this.#count - this.#at)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** A position that is a count of rows. */
export function encodeIndex(index: number): Position {
  const w = new Writer(9)
  w.u8(1)
  w.varint(index)
  return w.finish()
}

/** TM1708 for bytes that are no such position. */
export function decodeIndex(position: Position, connector: string): number {
  try {
    const r = new Reader(position)
    if (r.u8() !== 1) throw new RangeError('another version')
    const index = r.varint()
    r.finish()
    return index
  } catch (cause) {
    throw new TidemillError(connectorErrors.positionUnknown, { message: connector, cause })
  }
}

/** TM1702 for rows that were read once and are no longer there. */
export function goneRows(connector: string, at: number, count: number): TidemillError {
  return new TidemillError(connectorErrors.inputShrank, {
    message: `${connector}: row ${at} was reached, there are ${count}`,
    details: { offset: at, size: count },
  })
}
