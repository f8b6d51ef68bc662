/** Ways to run a chain of steps over rows in memory: the engine, and what one would use otherwise. */
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline as streamed } from 'node:stream/promises'
import type { Stream } from '../../src/stream/types.ts'
import { chainOf } from './chain-of.ts'
import type { Chain, Step } from './steps.ts'

/** Makes a chain ready; each call of what it returns runs all rows and gives every result to `take`. */
export type Style = (chain: Chain, take: (row: never) => void) => () => unknown

/** `as`: rows have lost their types. */
type Untyped<Result = unknown> = (row: unknown) => Result

export const byEngine: Style = ({ rows, steps }, take) => {
  const chain = chainOf<unknown, unknown>(
    (stream, sink) => {
      let made: Stream<unknown> = stream
      for (const { kind, fn } of steps)
        made = kind === 'map' ? made.map(fn as Untyped) : made.filter(fn as Untyped<boolean>)
      made.to('sink', sink)
    },
    take as (row: unknown) => void,
  )
  return () => chain.rows(rows)
}

export const byStreams: Style = ({ rows, steps }, take) => {
  const through = ({ kind, fn }: Step): Transform =>
    new Transform({
      objectMode: true,
      transform:
        kind === 'map'
          ? (row, _encoding, done) => done(null, fn(row as never))
          : (row, _encoding, done) => (fn(row as never) ? done(null, row) : done()),
    })
  return () =>
    streamed([
      Readable.from(rows),
      ...steps.map(through),
      new Writable({
        objectMode: true,
        write: (row, _encoding, done) => {
          take(row as never)
          done()
        },
      }),
    ])
}

export const byGenerators: Style = ({ rows, steps }, take) => {
  async function* source(): AsyncGenerator<unknown> {
    for (const row of rows) yield row
  }
  async function* mapped(from: AsyncIterable<unknown>, fn: Step['fn']): AsyncGenerator<unknown> {
    for await (const row of from) yield fn(row as never)
  }
  async function* kept(from: AsyncIterable<unknown>, fn: Step['fn']): AsyncGenerator<unknown> {
    for await (const row of from) if (fn(row as never)) yield row
  }
  return async () => {
    let made = source()
    for (const { kind, fn } of steps) made = kind === 'map' ? mapped(made, fn) : kept(made, fn)
    for await (const row of made) take(row as never)
  }
}

/** The three functions of RxJS that are used. */
interface Rx {
  from(rows: readonly unknown[]): {
    pipe(...steps: unknown[]): { subscribe(next: (row: never) => void): void }
  }
  map(fn: Step['fn']): unknown
  filter(fn: Step['fn']): unknown
}

/** RxJS when it is installed. */
export async function loadRx(): Promise<Style | undefined> {
  const wanted: string = 'rxjs'
  let rx: Rx
  try {
    rx = (await import(wanted)) as Rx
  } catch {
    return undefined
  }
  return ({ rows, steps }, take) => {
    const operators = steps.map(({ kind, fn }) => (kind === 'map' ? rx.map(fn) : rx.filter(fn)))
    return () => {
      rx.from(rows)
        .pipe(...operators)
        .subscribe(take)
    }
  }
}
