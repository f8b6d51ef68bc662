/** Expressions mean the same as closures, as generated functions, and inside generated and interpreted chains. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forbidCodeGeneration } from '../base/codegen.ts'
import { columnsOf } from '../frame/fields.ts'
import { nullSink, rowsSource, runRows } from '../runtime/run-rows.test-support.ts'
import { float, int, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { evaluator } from './evaluate.ts'
import { functionOf } from './function.ts'
import type { Expression } from './nodes.ts'
import { type OperationName, operations } from './operations.ts'
import { printExpression } from './print.ts'

const rowSchema = struct('row', {
  i: field(1, int),
  f: field(2, float),
  s: field(3, text),
  t: field(4, text),
})

interface Row {
  readonly i: number
  readonly f: number
  readonly s: string
  readonly t: string
}

const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  i: fc.integer({ min: -1000, max: 1000 }),
  f: fc.oneof(fc.double(), fc.constantFrom(0, -0, 1.5, Number.NaN, -1)),
  s: fc.string({ unit: 'grapheme', maxLength: 6 }),
  t: fc.constantFrom('', 'a', 'A,b', 'ß', '🙂'),
})

const call = (operation: OperationName, ...operands: readonly Expression[]): Expression => ({
  kind: 'call',
  operation,
  operands,
})
const of = (value: string | number | boolean): Expression => ({ kind: 'literal', value })
const nasty = fc.constantFrom(
  "');throw 1;//",
  '`${',
  '*/',
  '\u2028',
  '</script>',
  '__proto__',
  '\\',
  '"',
)

/** Well-typed expressions of every operation. */
const tree = fc.letrec<{
  readonly number: Expression
  readonly text: Expression
  readonly boolean: Expression
}>((tie) => ({
  number: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Expression>({ kind: 'field', name: 'i' }, { kind: 'field', name: 'f' }),
    fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, Number.NaN, Infinity)).map(of),
    fc
      .tuple(
        fc.constantFrom<OperationName>('add', 'sub', 'mul', 'div', 'mod', 'coalesce'),
        tie('number'),
        tie('number'),
      )
      .map(([name, a, b]) => call(name, a, b)),
    fc
      .tuple(fc.constantFrom<OperationName>('neg', 'hour', 'minute', 'day'), tie('number'))
      .map(([name, a]) => call(name, a)),
    tie('text').map((a) => call('length', a)),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => call('indexOf', a, b)),
    fc
      .tuple(tie('boolean'), tie('number'), tie('number'))
      .map(([test, a, b]) => call('choose', test, a, b)),
  ),
  text: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Expression>({ kind: 'field', name: 's' }, { kind: 'field', name: 't' }),
    fc.oneof(fc.string(), nasty).map(of),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => call('concat', a, b)),
    tie('text').map((a) => call('lower', a)),
    fc
      .tuple(tie('text'), tie('text'), tie('number'))
      .map(([a, b, i]) => call('coalesce', call('part', a, b, i), of('none'))),
  ),
  boolean: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.boolean().map(of),
    fc
      .tuple(
        fc.constantFrom<OperationName>('eq', 'ne', 'lt', 'le', 'gt', 'ge'),
        tie('number'),
        tie('number'),
      )
      .map(([name, a, b]) => call(name, a, b)),
    fc
      .tuple(
        fc.constantFrom<OperationName>('contains', 'startsWith', 'eq'),
        tie('text'),
        tie('text'),
      )
      .map(([name, a, b]) => call(name, a, b)),
    fc
      .tuple(fc.constantFrom<OperationName>('and', 'or'), tie('boolean'), tie('boolean'))
      .map(([name, a, b]) => call(name, a, b)),
    tie('boolean').map((a) => call('not', a)),
    tie('number').map((a) => call('isNull', a)),
  ),
}))

describe('expressions', () => {
  it('mean the same as closures, as generated code and in chains over rows and frames', async () => {
    const used = new Set<string>()
    const note = (one: Expression): void => {
      if (one.kind !== 'call') return
      used.add(one.operation)
      one.operands.forEach(note)
    }
    await fc.assert(
      fc.asyncProperty(
        tree.number,
        tree.text,
        tree.boolean,
        fc.array(rowArbitrary, { maxLength: 8 }),
        fc.oneof(nasty, fc.string()).filter((one) => one !== '__proto__'),
        async (number, words, test, rows, name) => {
          for (const one of [number, words, test]) note(one)
          const made: Expression = {
            kind: 'row',
            fields: [
              ['number', number],
              [name === 'number' ? 'other' : name, words],
            ],
          }
          const model = rows
            .filter((row) => evaluator(test)(row))
            .map((row) => evaluator(made)(row))
          expect(rows.filter((row) => functionOf(test)(row)).map(functionOf(made))).toEqual(model)
          const app = pipelineOn(undefined)('expressions')
          app
            .from('rows', rowsSource<Row>())
            .filter(functionOf(test) as (row: Row) => boolean)
            .map(functionOf(made))
            .to('rows', nullSink())
          const plan = app.plan()
          expect((await runRows(plan, rows))['rows']).toEqual(model)
          expect((await runRows(plan, rows, { interpreted: true }))['rows']).toEqual(model)
          const frames = rowSchema as never
          expect((await runRows(plan, rows, { frames }))['rows']).toEqual(model)
          expect(printExpression(made)).not.toContain('$0')
        },
      ),
      { numRuns: 150 },
    )
    expect([...used].sort()).toEqual(Object.keys(operations).sort())
  })

  it('name their fields, also where code may not be generated', () => {
    const sum = call('add', { kind: 'field', name: 'i' }, { kind: 'field', name: 'f' })
    for (const forbidden of [false, true]) {
      forbidCodeGeneration(forbidden)
      try {
        const fn = functionOf(sum)
        expect([...(columnsOf(fn).fields ?? [])]).toEqual(['i', 'f'])
        expect(fn({ i: 1, f: 2 })).toBe(3)
      } finally {
        forbidCodeGeneration(false)
      }
    }
  })

  it('never run text of field names or constants', () => {
    const canary = globalThis as { canary?: boolean }
    fc.assert(
      fc.property(fc.oneof(nasty, fc.string()), (text) => {
        const attack = `${text}'];globalThis.canary=true;//`
        const row = Object.defineProperty({}, attack, { value: 1, enumerable: true })
        expect(functionOf({ kind: 'field', name: attack })(row)).toBe(1)
        expect(functionOf(of(attack))(row)).toBe(attack)
        const made: Expression = { kind: 'row', fields: [[attack, of(2)]] }
        expect(functionOf(made)(row)).toEqual(evaluator(made)(row))
        expect(canary.canary).toBeUndefined()
      }),
    )
  })

  it('tell hours, minutes and days in UTC, also before 1970', () => {
    const parts = (ms: number): readonly unknown[] =>
      (['day', 'hour', 'minute'] as const).map((name) => evaluator(call(name, of(ms)))({}))
    expect(parts(Date.UTC(2026, 10, 22, 23, 59))).toEqual([20_779, 23, 59])
    expect(parts(Date.UTC(1969, 11, 31, 22, 5))).toEqual([-1, 22, 5])
  })
})
