/** One departure, as in the columns of the data. */
import { field, instant, int, struct, text } from 'tidemill'

export const flight = struct('flight', {
  /** Departure in local time of the airport, taken as UTC. */
  date: field(1, instant),
  /** Minutes; negative when the flight was early. */
  delay: field(2, int),
  /** Miles. */
  distance: field(3, int),
  origin: field(4, text),
  destination: field(5, text),
})

/** 3,000,000 real US flights of 2001, sorted by time: a development dependency of this repository. */
export const flightsFile = 'node_modules/vega-datasets/data/flights-3m.parquet'

export const topic = 'flights'
