/** Word count: twelve lines, every one inferred. */
import { pipeline, type Stream } from 'tidemill'
import { expectTypeOf } from 'vitest'
import { lines, stdout } from './model.ts'

const app = pipeline('word-count')
app
  .from('book', lines('book.txt'))
  .flatMap((line) => line.toLowerCase().split(/\W+/))
  .filter((word) => word !== '')
  .keyBy((word) => word)
  .count('words')
  .to('print', stdout())
await app.run()

const words = app.from('again', lines('book.txt')).flatMap((line) => line.split(' '))
const counts = words.keyBy((word) => word).count('counts')
expectTypeOf(counts).toEqualTypeOf<Stream<{ readonly key: string; readonly count: number }>>()

// A type guard narrows, other tests keep the type.
const maybe = words.map((word) => (word === '' ? undefined : word))
expectTypeOf(maybe.filter((word): word is string => word !== undefined)).toEqualTypeOf<
  Stream<string>
>()
expectTypeOf(maybe.filter((word) => word !== undefined)).toEqualTypeOf<Stream<string>>()
expectTypeOf(words.filter((word) => word.length > 3)).toEqualTypeOf<Stream<string>>()

// Keys are text, finite numbers, bigints, booleans or tuples of these.
const pairs = words.keyBy((word) => [word, word.length])
expectTypeOf(pairs.count('pairs')).toEqualTypeOf<
  Stream<{ readonly key: readonly [string, number]; readonly count: number }>
>()
// @ts-expect-error: an object is no key
words.keyBy((word) => ({ word }))
// @ts-expect-error: undefined is no key
words.keyBy((word) => (word === '' ? undefined : word))
// @ts-expect-error: a stateful step has a name
words.keyBy((word) => word).count()
// @ts-expect-error: a sink has a name
words.to(stdout())

// Union joins the row types; streams with and without event time do not mix.
expectTypeOf(words.union(words.map((word) => word.length))).toEqualTypeOf<Stream<string | number>>()
const timed = words.withEventTime({ timestamp: () => 0 as never, maxOutOfOrderness: 0 as never })
// @ts-expect-error: one of them has event time, the other has not
words.union(timed)
// @ts-expect-error: one of them has event time, the other has not
timed.union(words)

// Steps of one's own.
const shout = (stream: Stream<string>): Stream<string> => stream.map((word) => word.toUpperCase())
expectTypeOf(words.apply(shout)).toEqualTypeOf<Stream<string>>()
