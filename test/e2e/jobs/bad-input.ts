/** What comes in may be anything; whatever is refused is a result with its place and reason. */
import {
  fileSink,
  files,
  jsonLines,
  param,
  pipeline,
  seconds,
  type Timestamp,
  tumbling,
  minutes,
} from 'tidemill'

type Row = { readonly id: number; readonly key?: unknown; readonly at?: number | string }

const policy = param('policy', 'reject') as 'reject' | 'fail' | 'skip'
const keyOf = param('key', 'row')
const output = fileSink({ directory: param('output') })

const app = pipeline(
  'bad-input',
  policy === 'reject' ? {} : { onError: { decode: policy, time: policy } },
)

const source = jsonLines<Row>(files(param('input')))
const rows = policy === 'reject' ? app.tryFrom('rows', source) : undefined
const timed = (rows?.results ?? app.from('rows', source)).tryWithEventTime('time', {
  timestamp: (row) =>
    (typeof row.at === 'string' ? Number(row.at) : (row.at ?? row.id)) as Timestamp,
  maxOutOfOrderness: seconds(1),
})

rows?.rejected
  .map(({ position, error }) => ({ step: 'decode', place: position ?? '', code: error.code ?? '' }))
  .to('undecodable', output)

timed.rejected
  .map(({ input, error }) => ({ step: 'time', id: input.id, code: error.code ?? '' }))
  .to('untimed', output)

const counted = timed.results
  .keyBy((row) => keyFrom(row))
  .window(tumbling(minutes(1)))
  .count('per-minute')

counted.results
  .map(({ key, count }) => ({ key: `${typeof key}:${String(key)}`, count }))
  .to('counts', output)
counted.late.map(({ record }) => ({ id: record.id })).to('late', output)

/** JSON has no NaN, no bigint and no -0 that survives everywhere, so keys are named. */
function keyFrom({ key }: Row): string | number | bigint | boolean {
  if (keyOf === 'row') return 'all'
  switch (key) {
    case 'NaN':
      return Number.NaN
    case '-0':
      return -0
    case '1n':
      return 1n
    default:
      return key as string | number | boolean
  }
}

await app.run()
