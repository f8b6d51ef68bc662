/**
 * Makes `sample.csv`: three short drives, one after the other in the file. Two of them use the same cells a month apart,
 * one has two coverage holes, and values are missing as they are in real measurements.
 *
 *     npx tsx examples/cell-quality/sample.ts > examples/cell-quality/sample.csv
 */
import { fileURLToPath } from 'node:url'

export const header =
  'Trace,Timestamp,Longitude,Latitude,Speed,Operatorname,CellID,NetworkMode,RSRP,RSRQ,SNR,CQI,RSSI,DL_bitrate,UL_bitrate,' +
  'State,PINGAVG,PINGMIN,PINGMAX,PINGSTDEV,PINGLOSS,CELLHEX,NODEHEX,LACHEX,RAWCELLID,NRxRSRP,NRxRSRQ'

interface Drive {
  readonly trace: string
  readonly startMs: number
  readonly seconds: number
  readonly nodes: readonly string[]
  /** Second of the drive at which the signal is lost, and for how long. */
  readonly holes: readonly (readonly [from: number, seconds: number])[]
}

const drives: readonly Drive[] = [
  {
    trace: 'A/morning',
    startMs: Date.UTC(2020, 0, 27, 9, 15, 20),
    seconds: 200,
    nodes: ['A81B', 'A81C'],
    holes: [[90, 14]],
  },
  {
    trace: 'A/evening',
    startMs: Date.UTC(2019, 11, 20, 18, 1, 5),
    seconds: 180,
    nodes: ['A81B', 'A81C'],
    holes: [],
  },
  {
    trace: 'B/noon',
    startMs: Date.UTC(2019, 11, 20, 18, 2, 10),
    seconds: 160,
    nodes: ['A81C', 'B000'],
    holes: [
      [20, 9],
      [145, 15],
    ],
  },
]

/** Data lines of each trace, always the same. */
export function cellQualitySample(): readonly (readonly string[])[] {
  const random = seeded(11)
  const whole = (below: number): number => Math.floor(random() * below)
  return drives.map((drive) => {
    const rows: string[] = []
    for (let second = 0; second < drive.seconds; second++) {
      const lost = drive.holes.some(([from, seconds]) => second >= from && second <= from + seconds)
      const node = drive.nodes[Math.floor((second * drive.nodes.length) / drive.seconds)] ?? '-'
      const samples = second % 20 === 0 ? 2 : 1
      for (let i = 0; i < samples; i++) {
        const rsrp = second % 13 === 5 ? '-' : String(lost ? -111 - whole(6) : -90 - whole(21))
        const snr = whole(9) === 0 ? '-' : (whole(400) / 10 - 10).toFixed(1)
        const is5g = node === 'B000'
        const values: readonly string[] = [
          drive.trace,
          stamp(drive.startMs + second * 1000),
          '-8.388167',
          '51.935618',
          String(whole(60)),
          'B',
          String(1 + whole(3)),
          is5g ? '5G' : 'LTE',
          rsrp,
          '-11',
          snr,
          '8',
          '-',
          '29',
          '13',
          'D',
          '-',
          '-',
          '-',
          '-',
          '-',
          String(1 + (second % 2)),
          second % 47 === 40 ? '-' : node,
          '9CBA',
          '11016962',
          '-',
          '-',
        ]
        rows.push(values.join(','))
      }
      // One pair of rows is in the wrong order, as in the real drives.
      if (second === 60) rows.push(...rows.splice(-2).reverse())
    }
    return rows
  })
}

function stamp(ms: number): string {
  return new Date(ms)
    .toISOString()
    .slice(0, 19)
    .replaceAll('-', '.')
    .replaceAll(':', '.')
    .replace('T', '_')
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${[header, ...cellQualitySample().flat()].join('\n')}\n`)
}
