/**
 * Row count, digest and time of the reference queries, one JSON line each; fails when one is not
 * the expected one.
 *
 *   npx tsx benchmarks/nexmark/reference-run.ts [--set D2] [--disorder 1] [q0 q5 ...]
 */
import { parseArgs } from 'node:util'
import { datasets } from './dataset.ts'
import { digestOf } from './digest.ts'
import { expectedD2, expectedD3 } from './expected.ts'
import { generateEvents } from './generator.ts'
import { reference } from './reference.ts'
import type { QueryName } from './results.ts'

const { values, positionals } = parseArgs({
  options: { set: { type: 'string', default: 'D2' }, disorder: { type: 'string', default: '1' } },
  allowPositionals: true,
})
const dataset = Object.values(datasets).find(({ name }) => name === values.set)
if (!dataset) throw new Error(`there is no data set ${values.set}; choose D1, D2, D3 or D4`)
const disorder = Number(values.disorder)
if (!(Number.isInteger(disorder) && disorder > 0)) {
  throw new Error(`--disorder takes a positive integer, not ${values.disorder}`)
}
const unknown = positionals.filter((name) => !Object.hasOwn(reference, name))
if (unknown.length > 0) throw new Error(`there is no reference for ${unknown.join(', ')}`)
// `as`: checked just above, or the keys of the table itself.
const names = (positionals.length > 0 ? positionals : Object.keys(reference)) as QueryName[]

const input = generateEvents({ ...dataset, disorder })
for (const query of names) print(query)

function print<Query extends QueryName>(query: Query): void {
  const startMs = performance.now()
  const rows = reference[query](input)
  const wallMs = Math.round(performance.now() - startMs)
  const result = { rows: rows.length, digest: digestOf(query, rows) }
  const digestExpected = expectedDigest(query)
  const valid = digestExpected === undefined ? undefined : digestExpected === result.digest
  if (valid === false) process.exitCode = 1
  console.log(
    JSON.stringify({
      query,
      dataset: values.set,
      disorder,
      ...result,
      digestExpected,
      valid,
      wallMs,
    }),
  )
}

/**
 * Nothing for sets without a table, and for D3 with disorder, where ties of time go by another
 * order of arrival.
 */
function expectedDigest(query: QueryName): string | undefined {
  if (values.set === 'D2') return expectedD2[query].digest
  if (values.set === 'D3' && disorder === 1) return expectedD3[query].digest
  return undefined
}
