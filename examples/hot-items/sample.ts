/**
 * Makes `sample.csv`: two and a half hours in a small shop, with what real input has - rows out of order, some far too
 * late, some that are no rows, and a last one that was cut off while it was written.
 *
 *     npx tsx examples/hot-items/sample.ts > examples/hot-items/sample.csv
 */
import { fileURLToPath } from 'node:url'

const startSeconds = 1_511_658_000

/** The text of the sample, always the same. */
export function hotItemsSample(): string {
  const random = seeded(7)
  const rows: string[] = []
  const whole = (below: number): number => Math.floor(random() * below)
  for (let i = 0; i < 1_800; i++) {
    const behaviour = ['pv', 'pv', 'pv', 'pv', 'pv', 'pv', 'cart', 'fav', 'buy'][whole(9)]
    // A few items get most of the views, as in every shop.
    const item = 100 + Math.floor(30 * random() ** 3)
    const time = startSeconds + i * 5 - whole(10)
    rows.push(`${1 + whole(400)},${item},${1 + (item % 7)},${behaviour},${time}`)
    if (i % 500 === 450) rows.push(`${1 + whole(400)},${item},3,pv,${time - 4_000}`)
    if (i % 500 === 460) rows.push(`${1 + whole(400)},${item},3,pv,${time - 1_500}`)
  }
  rows.splice(
    200,
    0,
    '12,not-an-item,3,pv,1511658900',
    '12,105,3,pv',
    '',
    '12,105,3,pv,1511658900,extra',
    '12,105,3,pv,-5',
  )
  rows.push('301,105,4,pv,15')
  return rows.join('\n')
}

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(hotItemsSample())
