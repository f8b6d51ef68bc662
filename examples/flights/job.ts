/**
 * From which airports do flights leave late? Every half hour, over the last six hours, the ten worst.
 *
 *     npx tidemill run examples/flights/job.ts --param log=log --param output=out --state state/worst-airports
 *
 * Reads the topic that `replay.job.ts` fills and goes on for ever; with `--param until=end` it ends with what is there.
 */
import {
  count,
  field,
  fileSink,
  float,
  hours,
  int,
  list,
  logSource,
  mean,
  minutes,
  param,
  pipeline,
  seconds,
  sliding,
  struct,
  text,
  type TypeOf,
  valueState,
} from 'tidemill'
import { flight, topic } from './flight.ts'

const worstMax = 10
const flightsMin = 20
const delayedMinutes = 15

const app = pipeline('worst-airports')

const departures = app
  .from(
    'flights',
    logSource({
      directory: param('log', '.tidemill/flights-log'),
      topic,
      value: flight,
      ...(param('until', 'never') === 'end' ? { until: 'end' } : {}),
    }),
  )
  // One partition, sorted by time.
  .withEventTime({ timestamp: (row) => row.date, maxOutOfOrderness: seconds(0) })

const airport = struct('airport', {
  origin: field(1, text),
  flights: field(2, int),
  delayMean: field(3, float),
  delayedShare: field(4, float),
})

const rankedAirport = struct('ranked-airport', {
  windowStart: field(1, int),
  windowEnd: field(2, int),
  rank: field(3, int),
  origin: field(4, text),
  flights: field(5, int),
  delayMean: field(6, float),
  delayedShare: field(7, float),
})

type Airport = TypeOf<typeof airport>

function isWorse(left: Airport, right: Airport): boolean {
  return (
    left.delayMean > right.delayMean ||
    (left.delayMean === right.delayMean && left.origin < right.origin)
  )
}

departures
  .keyBy((row) => row.origin)
  .window(sliding(hours(6), minutes(30)))
  .aggregate('delays', {
    flights: count(),
    delayMean: mean((row) => row.delay),
    delayed: count({ where: (row) => row.delay > delayedMinutes }),
  })
  .dropLate('the recording is sorted by time')
  .filter((row) => row.flights >= flightsMin)
  .keyBy(({ window }) => window.end)
  .process('worst', {
    state: { worst: valueState(list(airport), { initial: [] }) },
    timers: { closed: 'event-time' },
    output: rankedAirport,
    onRecord({ key, flights, delayMean, delayed }, ctx) {
      const worst = ctx.state.worst.get()
      const one = { origin: key, flights, delayMean, delayedShare: delayed / flights }
      const above = worst.filter((other) => isWorse(other, one))
      if (above.length >= worstMax) return
      ctx.state.worst.set([...above, one, ...worst.slice(above.length)].slice(0, worstMax))
      // The time of a result is the last millisecond of its window: the timer fires when all of them are here.
      ctx.timers.closed.setAt(ctx.timestamp)
    },
    onTimer: {
      closed(ctx) {
        const windowEnd = ctx.key
        ctx.state.worst.get().forEach(({ origin, flights, delayMean, delayedShare }, i) => {
          ctx.emit({
            windowStart: windowEnd - hours(6),
            windowEnd,
            rank: i + 1,
            origin,
            flights,
            delayMean: rounded(delayMean),
            delayedShare: rounded(delayedShare),
          })
        })
        ctx.state.worst.clear()
      },
    },
  })
  .to('worst-airports', fileSink({ directory: param('output', '.tidemill/output/flights') }))

/** Four decimals; adding 0 turns -0 into 0. */
function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000 + 0
}

await app.run()
