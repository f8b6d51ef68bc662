/**
 * How good is a cellphone network, and where are its holes? Two questions to one stream of drive tests:
 *
 * - per cell and minute, signal strength, noise and the share of 5G;
 * - per drive, stretches of at least ten seconds in which the signal stays below -110 dBm.
 *
 *     npx tidemill run examples/cell-quality/job.ts --param input=a.csv,b.csv --param output=out --state state
 *
 * Drives of different days share cells. Give one file per drive and each is a partition with a watermark of its own: no
 * minute closes because another drive is a month ahead. One file with all drives, one after the other, is no stream in
 * event time; read it with `--mode batch`.
 */
import {
  count,
  fileSink,
  files,
  lines,
  mean,
  min,
  minutes,
  param,
  pipeline,
  seconds,
  tumbling,
} from 'tidemill'
import { coverageHoles } from './coverage-hole.ts'
import { isHeader, measurement, parseMeasurement, unreadable } from './measurement.ts'

const output = fileSink({ directory: param('output', '.tidemill/output/cell-quality') })

const app = pipeline('cell-quality')

const read = app.tryFrom(
  'traces',
  lines(files(param('input', 'examples/cell-quality/sample.csv')), { locate: true }),
)

const parsed = read.results
  .filter((line) => !isHeader(line))
  .try('parse', parseMeasurement, { row: measurement })

const measured = parsed.results.withEventTime({
  timestamp: (row) => row.at,
  maxOutOfOrderness: seconds(5),
})

const perMinute = measured
  .filter((row) => row.cell !== undefined)
  .keyBy((row) => row.cell ?? '')
  .window(tumbling(minutes(1)))
  .aggregate('cell-minute', {
    samples: count(),
    rsrpMean: mean((row) => row.rsrp ?? 0, { where: (row) => row.rsrp !== undefined }),
    rsrpMin: min((row) => row.rsrp ?? 0, { where: (row) => row.rsrp !== undefined }),
    snrMean: mean((row) => row.snr ?? 0, { where: (row) => row.snr !== undefined }),
    count5g: count({ where: (row) => row.is5g }),
  })

perMinute.results
  .map(({ key, window, samples, rsrpMean, rsrpMin, snrMean, count5g }) => ({
    cell: key,
    windowStart: window.start,
    windowEnd: window.end,
    samples,
    rsrpMean: rounded(rsrpMean),
    rsrpMin: rounded(rsrpMin),
    snrMean: rounded(snrMean),
    share5g: rounded(count5g / samples),
  }))
  .to('cell-minute', output)

const holes = measured.apply(coverageHoles)

holes.holes.to('coverage-hole', output)

// Without a node a measurement belongs to no cell; its signal counts for the holes all the same.
const withoutNode = parsed.results
  .filter((row) => row.cell === undefined)
  .map(({ file, line, raw }) => ({ file, line, raw, reason: 'NODEHEX is missing' }))

parsed.rejected
  .map(({ input, error }) => ({
    file: input.file,
    line: input.line,
    raw: input.text,
    reason: error.message,
  }))
  .union(withoutNode, read.rejected.map(unreadable))
  .to('rejected', output)

perMinute.late
  .map(({ record, lateBy }) => ({
    file: record.file,
    line: record.line,
    raw: record.raw,
    lateByMs: lateBy,
  }))
  .to('late-cell-minute', output)

holes.tooLate.to('late-coverage-hole', output)

/** Four decimals, `null` without a value; adding 0 turns -0 into 0. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 10_000) / 10_000 + 0
}

await app.run()
