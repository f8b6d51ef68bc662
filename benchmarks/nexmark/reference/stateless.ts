/** q0, q1, q2, q10, q13, q14, q21, q22: each bid alone decides what becomes of it. */
import type { NexmarkEvent } from '../event.ts'
import type {
  ChannelBid,
  ComputedBid,
  DirectoriesBid,
  EnrichedBid,
  EuroBid,
  FilteredBid,
  PartitionedBid,
  PassedBid,
  TimeType,
} from '../results.ts'
import { SIDE_ROWS, sideTable } from '../side-table.ts'
import { bidsOf, dayOf, minuteOf } from './rows.ts'

export function q0(rows: readonly NexmarkEvent[]): PassedBid[] {
  return bidsOf(rows).map(({ auction, bidder, price, dateTime, extra }) => {
    return { auction, bidder, price, dateTime, extra }
  })
}

export function q1(rows: readonly NexmarkEvent[]): EuroBid[] {
  return bidsOf(rows).map(({ auction, bidder, price, dateTime, extra }) => {
    return { auction, bidder, priceThousandths: price * 908, dateTime, extra }
  })
}

export function q2(rows: readonly NexmarkEvent[]): FilteredBid[] {
  return bidsOf(rows)
    .filter(({ auction }) => auction % 123 === 0)
    .map(({ auction, price }) => ({ auction, price }))
}

export function q10(rows: readonly NexmarkEvent[]): PartitionedBid[] {
  return bidsOf(rows).map(({ auction, bidder, price, dateTime, extra }) => {
    return { auction, bidder, price, dateTime, extra, dt: dayOf(dateTime), hm: minuteOf(dateTime) }
  })
}

export function q13(rows: readonly NexmarkEvent[]): EnrichedBid[] {
  const enriched: EnrichedBid[] = []
  for (const { auction, bidder, price, dateTime } of bidsOf(rows)) {
    const value = sideTable.get(auction % SIDE_ROWS)
    if (value !== undefined) enriched.push({ auction, bidder, price, dateTime, value })
  }
  return enriched
}

export function q14(rows: readonly NexmarkEvent[]): ComputedBid[] {
  const computed: ComputedBid[] = []
  for (const { auction, bidder, price, dateTime, extra } of bidsOf(rows)) {
    const priceThousandths = price * 908
    if (!(1e9 < priceThousandths && priceThousandths < 5e10)) continue
    const timeType = timeTypeOf(new Date(dateTime).getUTCHours())
    const cCount = extra.split('c').length - 1
    computed.push({ auction, bidder, priceThousandths, timeType, dateTime, extra, cCount })
  }
  return computed
}

const CHANNEL_IDS: ReadonlyMap<string, string> = new Map([
  ['apple', '0'],
  ['google', '1'],
  ['facebook', '2'],
  ['baidu', '3'],
])

export function q21(rows: readonly NexmarkEvent[]): ChannelBid[] {
  const identified: ChannelBid[] = []
  for (const { auction, bidder, price, channel, url } of bidsOf(rows)) {
    const channelId =
      CHANNEL_IDS.get(channel.toLowerCase()) ?? /(&|^)channel_id=([^&]*)/.exec(url)?.[2]
    if (channelId !== undefined) identified.push({ auction, bidder, price, channel, channelId })
  }
  return identified
}

export function q22(rows: readonly NexmarkEvent[]): DirectoriesBid[] {
  return bidsOf(rows).map(({ auction, bidder, price, channel, url }) => {
    const [, , , dir1 = '', dir2 = '', dir3 = ''] = url.split('/')
    return { auction, bidder, price, channel, dir1, dir2, dir3 }
  })
}

function timeTypeOf(hour: number): TimeType {
  if (hour >= 8 && hour <= 18) return 'dayTime'
  if (hour <= 6 || hour >= 20) return 'nightTime'
  return 'otherTime'
}
