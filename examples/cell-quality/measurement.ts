/** One line of a drive test, as a row. */
import {
  bool,
  field,
  float,
  instant,
  int,
  type LocatedLine,
  optional,
  type Rejected,
  struct,
  text,
  timestamp,
  type Timestamp,
  type TypeOf,
} from 'tidemill'

export const measurement = struct('measurement', {
  file: field(1, text),
  line: field(2, int),
  raw: field(3, text),
  trace: field(4, text),
  at: field(5, instant),
  /** `NODEHEX:CELLHEX`; absent when the phone did not know its node. */
  cell: field(6, optional(text)),
  is5g: field(7, bool),
  /** Signal strength in dBm. */
  rsrp: field(8, optional(float)),
  /** Signal to noise in dB. */
  snr: field(9, optional(float)),
})

export type Measurement = TypeOf<typeof measurement>

const columns = [
  'Trace', 'Timestamp', 'Longitude', 'Latitude', 'Speed', 'Operatorname', 'CellID', 'NetworkMode', 'RSRP', 'RSRQ',
  'SNR', 'CQI', 'RSSI', 'DL_bitrate', 'UL_bitrate', 'State', 'PINGAVG', 'PINGMIN', 'PINGMAX', 'PINGSTDEV', 'PINGLOSS',
  'CELLHEX', 'NODEHEX', 'LACHEX', 'RAWCELLID', 'NRxRSRP', 'NRxRSRQ',
] as const // biome-ignore format: as in the file

/** Files may begin with the names of the columns or at once with data. */
export function isHeader({ line, text }: LocatedLine): boolean {
  return line === 1 && text.startsWith('Trace,Timestamp,')
}

/** Throws with the reason when the line is no measurement. */
export function parseMeasurement({ file, line, text: raw }: LocatedLine): Measurement {
  const values = splitCsv(raw)
  if (values.length !== columns.length)
    throw new Error(`${values.length} columns instead of ${columns.length}`)
  const value = (name: (typeof columns)[number]): string => values[columns.indexOf(name)] ?? ''
  const trace = value('Trace')
  if (trace === '') throw new Error('the trace is missing')
  const node = value('NODEHEX')
  const rsrp = decimal('RSRP', value('RSRP'))
  const snr = decimal('SNR', value('SNR'))
  return {
    file,
    line,
    raw,
    trace,
    at: time(value('Timestamp')),
    is5g: value('NetworkMode') === '5G',
    ...(isMissing(node) ? {} : { cell: `${node}:${value('CELLHEX')}` }),
    ...(rsrp === undefined ? {} : { rsrp }),
    ...(snr === undefined ? {} : { snr }),
  }
}

/** A line that is no text, or far too long; its position is `FILE:LINE`. */
export function unreadable({ input, position, error }: Rejected<string | Uint8Array>) {
  const colon = position.lastIndexOf(':')
  return {
    file: position.slice(0, colon),
    line: Number(position.slice(colon + 1)),
    raw: typeof input === 'string' ? input : new TextDecoder().decode(input),
    reason: error.message,
  }
}

function isMissing(value: string): boolean {
  return value === '-' || value === ''
}

function decimal(name: string, digits: string): number | undefined {
  if (isMissing(digits)) return undefined
  if (!/^[+-]?\d+(\.\d+)?$/.test(digits))
    throw new Error(`${name} ${JSON.stringify(digits)} is not a number`)
  return Number(digits)
}

/** `2019.12.01_12.11.21`, read as UTC. */
function time(digits: string): Timestamp {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})\.(\d\d)\.(\d\d)_(\d\d)\.(\d\d)\.(\d\d)$/.exec(digits) ?? []
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const ms = Date.parse(iso)
  // A date that does not exist, such as the 30th of February, would be taken for another one.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso)
    throw new Error(`time ${JSON.stringify(digits)} is no date`)
  return timestamp(ms)
}

/** The values of one line; a value may be in quotes, and a quote in it is doubled. */
function splitCsv(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',')
  const values: string[] = []
  const pattern = /(?:^|,)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))/g
  for (const [, quoted, plain = ''] of line.matchAll(pattern))
    values.push(quoted?.replaceAll('""', '"') ?? plain)
  return values
}
