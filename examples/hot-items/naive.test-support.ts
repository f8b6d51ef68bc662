/** The same question answered by one loop over all rows in memory: slow, obvious, and without the engine. */

const minute = 60_000

export interface HotItemsAnswer {
  readonly 'hot-items': readonly string[]
  readonly late: readonly string[]
  readonly rejected: readonly string[]
}

interface Row {
  readonly user: number
  readonly item: number
  readonly category: number
  readonly behaviour: string
  readonly at: number
}

/** Lines per sink, sorted. In stream mode for one file only: between several, who is late depends on their speed. */
export function naiveHotItems(
  inputs: readonly { file: string; text: string }[],
  mode: 'stream' | 'batch',
): HotItemsAnswer {
  const rejected: string[] = []
  const late: string[] = []
  const views = new Map<number, Map<number, number>>()
  for (const { file, text } of inputs) {
    const lines = text.split('\n')
    if (lines.at(-1) === '') lines.pop()
    let latest = Number.NEGATIVE_INFINITY
    lines.forEach((line, index) => {
      const raw = line.replace(/\r$/, '')
      const row = parse(raw)
      if (typeof row === 'string') {
        rejected.push(JSON.stringify({ file, line: index + 1, raw, reason: row }))
        return
      }
      const watermark = mode === 'batch' ? Number.NEGATIVE_INFINITY : latest - 10_000 - 1
      latest = Math.max(latest, row.at)
      if (row.behaviour === 'pv' && !countView(views, row, watermark))
        late.push(lateLine(row, watermark))
    })
  }
  return { 'hot-items': top3(views).sort(), late: late.sort(), rejected: rejected.sort() }
}

function lastEnd(at: number): number {
  return Math.floor(at / (5 * minute)) * 5 * minute + 60 * minute
}

/** False when every window of the row is closed. */
function countView(views: Map<number, Map<number, number>>, row: Row, watermark: number): boolean {
  let counted = false
  for (let end = lastEnd(row.at); end > row.at; end -= 5 * minute) {
    if (end - 1 <= watermark) continue
    counted = true
    const items = views.get(end) ?? new Map<number, number>()
    views.set(end, items.set(row.item, (items.get(row.item) ?? 0) + 1))
  }
  return counted
}

function lateLine(row: Row, watermark: number): string {
  const { user, item, category, behaviour, at } = row
  const lateByMs = watermark - (lastEnd(at) - 1)
  return JSON.stringify({
    userId: user,
    itemId: item,
    categoryId: category,
    behaviour,
    timestamp: at,
    lateByMs,
  })
}

function top3(views: ReadonlyMap<number, ReadonlyMap<number, number>>): string[] {
  const lines: string[] = []
  for (const [windowEnd, items] of views) {
    const sorted = [...items].sort(([a, countA], [b, countB]) => countB - countA || a - b)
    sorted.slice(0, 3).forEach(([itemId, count], i) => {
      lines.push(
        JSON.stringify({
          windowStart: windowEnd - 60 * minute,
          windowEnd,
          rank: i + 1,
          itemId,
          count,
        }),
      )
    })
  }
  return lines
}

function parse(raw: string): Row | string {
  const parts = raw.split(',')
  if (parts.length !== 5) return `${parts.length} columns instead of 5`
  const [user, item, category, behaviour, time] = parts as [string, string, string, string, string]
  if (behaviour === '') return 'the behaviour is missing'
  const checks = [
    ['time', time],
    ['user id', user],
    ['item id', item],
    ['category id', category],
  ] as const
  for (const [name, value] of checks) {
    if (!/^[0-9]+$/.test(value) || !Number.isSafeInteger(Number(value)))
      return `${name} ${JSON.stringify(value)} is not a whole number`
    if (name === 'time' && Number(value) < Date.UTC(2000, 0, 1) / 1000)
      return `time ${Number(value)} lies before 2000-01-01`
    if (name === 'time' && Number(value) > 8.64e12) return `time ${Number(value)} is no date`
  }
  return {
    user: Number(user),
    item: Number(item),
    category: Number(category),
    behaviour,
    at: Number(time) * 1000,
  }
}
