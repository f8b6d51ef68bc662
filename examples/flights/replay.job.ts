/**
 * Replays recorded flights into a topic of the embedded log, as if they departed now, a little faster.
 *
 *     npx tidemill run examples/flights/replay.job.ts --param rate=5000 --param rows=100000 --param log=log --state state/replay
 */
import { logSink, param, pipeline } from 'tidemill'
import { parquet } from 'tidemill/parquet'
import { flight, flightsFile, topic } from './flight.ts'
import { paced } from './paced.ts'

/** Rows per second and rows in all; 0 means without limit. */
const pace = { ratePerSec: whole('rate', '5000'), rowsMax: whole('rows', '100000') }

function whole(name: string, fallback: string): number {
  const text = param(name, fallback)
  if (!/^\d+$/.test(text)) throw new Error(`--param ${name}=${text} is not a whole number`)
  return Number(text)
}

const app = pipeline('flights-replay')

app
  .from('recording', paced(parquet({ path: param('input', flightsFile), schema: flight }), pace))
  .to(
    'flights',
    logSink({
      directory: param('log', '.tidemill/flights-log'),
      topic,
      value: flight,
      partitions: 1,
    }),
  )

await app.run()
