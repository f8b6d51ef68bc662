/**
 * Command line of the generator.
 *
 *   npx tsx benchmarks/nexmark/gen.ts --self-test
 *   npx tsx benchmarks/nexmark/gen.ts --set D3 [--text]
 *     [--events N] [--generators K] [--rate R] [--disorder G]
 *
 * Without `--text` the data set is written as JSON lines to the cache folder; with it the canonical
 * text goes to standard output.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { type Dataset, datasets } from './dataset.ts'
import { writeJsonLines } from './jsonl.ts'
import { runSelfTest } from './self-test.ts'
import { canonicalEvents, canonicalLine } from './text.ts'

const { values } = parseArgs({
  options: {
    'self-test': { type: 'boolean', default: false },
    set: { type: 'string', default: 'D2' },
    events: { type: 'string' },
    generators: { type: 'string' },
    rate: { type: 'string' },
    disorder: { type: 'string' },
    text: { type: 'boolean', default: false },
  },
})

if (values['self-test']) selfTest()
else if (values.text) await pipeline(Readable.from(textChunks(chosenDataset())), process.stdout)
else for (const file of writeJsonLines(chosenDataset())) console.log(JSON.stringify(file))

function selfTest(): void {
  const checks = runSelfTest()
  const failed = checks.filter(({ actual, expected }) => actual !== expected)
  for (const { name, actual, expected } of failed)
    console.log(`${name}: got ${actual}, expected ${expected}`)
  console.log(`${checks.length - failed.length} passed, ${failed.length} failed`)
  if (failed.length > 0) process.exitCode = 1
}

function chosenDataset(): Dataset {
  const preset = Object.values(datasets).find(({ name }) => name === values.set)
  if (!preset) throw new Error(`there is no data set ${values.set}; choose D1, D2, D3 or D4`)
  return {
    name: preset.name,
    events: positive('events', values.events, preset.events),
    generators: positive('generators', values.generators, preset.generators),
    ratePerSec: positive('rate', values.rate, preset.ratePerSec),
    disorder: positive('disorder', values.disorder, preset.disorder),
  }
}

function positive(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!(Number.isSafeInteger(value) && value > 0))
    throw new Error(`--${option} takes a positive integer, not ${text}`)
  return value
}

function* textChunks(dataset: Dataset): Generator<string, void, void> {
  let pending = ''
  for (const { event, generator, number } of canonicalEvents(dataset)) {
    pending += canonicalLine(event, generator, number)
    if (pending.length < 0x10000) continue
    yield pending
    pending = ''
  }
  yield pending
}
