/**
 * Which items of a mobile shop are hot? Per window of one hour, every five minutes, the three items with most views.
 *
 *     npx tidemill run examples/hot-items/job.ts --param input=user-behavior.csv.gz --param output=out --state state
 *
 * Input lines are `user,item,category,behaviour,seconds`. What does not parse is set aside with file and line, what comes
 * more than ten seconds late for all of its windows too; both are results like any other.
 */
import {
  fileSink,
  field,
  files,
  hours,
  int,
  lines,
  list,
  minutes,
  param,
  pipeline,
  seconds,
  sliding,
  struct,
  type TypeOf,
  valueState,
} from 'tidemill'
import { behaviour, parseBehaviour, unreadable } from './behaviour.ts'

const output = fileSink({ directory: param('output', '.tidemill/output/hot-items') })

const app = pipeline('hot-items')

const read = app.tryFrom(
  'behaviour',
  lines(files(param('input', 'examples/hot-items/sample.csv')), { locate: true }),
)

const parsed = read.results.try('parse', parseBehaviour, { row: behaviour })

parsed.rejected
  .map(({ input, error }) => ({
    file: input.file,
    line: input.line,
    raw: input.text,
    reason: error.message,
  }))
  .union(read.rejected.map(unreadable))
  .to('rejected', output)

const views = parsed.results
  // Before the filter: a row of any behaviour says how far time has come.
  .withEventTime({ timestamp: (row) => row.at, maxOutOfOrderness: seconds(10) })
  .filter((row) => row.behaviour === 'pv')
  .keyBy((row) => row.itemId)
  .window(sliding(hours(1), minutes(5)))
  .count('views')

views.late
  .map(({ record, lateBy }) => ({
    userId: record.userId,
    itemId: record.itemId,
    categoryId: record.categoryId,
    behaviour: record.behaviour,
    timestamp: record.at,
    lateByMs: lateBy,
  }))
  .to('late', output)

const itemViews = struct('item-views', { itemId: field(1, int), count: field(2, int) })
const topMax = 3

const hotItem = struct('hot-item', {
  windowStart: field(1, int),
  windowEnd: field(2, int),
  rank: field(3, int),
  itemId: field(4, int),
  count: field(5, int),
})

type ItemViews = TypeOf<typeof itemViews>

/** Most views first, ties by smaller item. */
function isHotter(left: ItemViews, right: ItemViews): boolean {
  return left.count > right.count || (left.count === right.count && left.itemId < right.itemId)
}

views.results
  .keyBy(({ window }) => window.end)
  .process('top', {
    state: { top: valueState(list(itemViews), { initial: [] }) },
    timers: { closed: 'event-time' },
    output: hotItem,
    onRecord({ key, count }, ctx) {
      const top = ctx.state.top.get()
      const item = { itemId: key, count }
      const above = top.filter((other) => isHotter(other, item))
      if (above.length >= topMax) return
      ctx.state.top.set([...above, item, ...top.slice(above.length)].slice(0, topMax))
      // The time of a result is the last millisecond of its window: the timer fires when all of them are here.
      ctx.timers.closed.setAt(ctx.timestamp)
    },
    onTimer: {
      closed(ctx) {
        const windowEnd = ctx.key
        ctx.state.top.get().forEach(({ itemId, count }, i) => {
          ctx.emit({ windowStart: windowEnd - hours(1), windowEnd, rank: i + 1, itemId, count })
        })
        ctx.state.top.clear()
      },
    },
  })
  .to('hot-items', output)

await app.run()
