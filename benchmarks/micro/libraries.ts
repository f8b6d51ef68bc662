/** Bar 2: the chains of bar 1 by what one would use otherwise. */
import { type Bar, bar, raceRounds, ratio } from './bar.ts'
import { bids, type Chain, Counter, otherChains, type Slim, tenSteps, threeSteps } from './steps.ts'
import { byEngine, byGenerators, byStreams, loadRx, type Style } from './styles.ts'

/** Fast contestants go over the rows so often per round. */
const PASSES = 20

/** Each in a process of its own: one way to run closures must not shape how another one runs them. */
export async function rxBars(): Promise<Bar[]> {
  const rx = await loadRx()
  if (rx !== undefined) return against('RxJS', rx, PASSES, 6)
  console.error('bar 2: rxjs is not installed, so it is not compared')
  return []
}

export async function streamsBars(): Promise<Bar[]> {
  return against('Node object streams', byStreams, 1, 50)
}

export async function generatorsBars(): Promise<Bar[]> {
  return against('async generators', byGenerators, 1, 60)
}

async function against(name: string, style: Style, passes: number, limit: number): Promise<Bar[]> {
  const others = [byEngine, style].flatMap((one) =>
    otherChains().map((chain) => one(chain, () => {})),
  )
  const warm = async (): Promise<void> => {
    for (const run of others) await run()
  }
  for (let i = 0; i < 10; i++) await warm()
  const rows = bids()
  const bars: Bar[] = []
  for (const chain of [threeSteps(rows), tenSteps(rows)]) {
    const [engine, other] = [counted(byEngine, chain), counted(style, chain)]
    const [a, b] = [await engine(1), await other(1)]
    if (a.rows !== b.rows || a.sum !== b.sum) throw new Error(`bar 2: ${name} gives another result`)
    const [byChain, byOther] = await raceRounds(
      [() => engine(PASSES), () => other(passes)],
      11,
      3,
      warm,
    )
    const times = (ratio(byOther, byChain) * PASSES) / passes
    bars.push(bar(`2 ${chain.name}: ${name} / engine`, times, '>=', limit))
  }
  return bars
}

/** Runs the chain so many times and gives the count of the last. */
function counted(style: Style, chain: Chain): (passes: number) => Promise<Counter> {
  const counter = new Counter()
  const run = style(chain, (row: Slim) => counter.add(row))
  return async (passes) => {
    for (let i = 0; i < passes; i++) {
      counter.reset()
      await run()
    }
    return counter
  }
}
