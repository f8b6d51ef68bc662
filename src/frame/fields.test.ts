import { buildSync, transformSync } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { columnsOf } from './fields.ts'

type Fn = (...args: any[]) => unknown

/** The function that a piece of program text evaluates to, as a user's bundle would hold it. */
const made = (source: string): Fn =>
  new Function(`'use strict'; const helper = (x) => x; return (${source}\n)`)() as Fn
const fieldsOf = (source: string, parameter = 0): readonly string[] | string => {
  const use = columnsOf(made(source), parameter)
  return use.fields === undefined ? use.reason : [...use.fields]
}

describe('view-safe functions', () => {
  it.each([
    ['r => r.a', ['a']],
    ['(r) => r.a % 123 === 0 && r.b > 1', ['a', 'b']],
    ['function (r) { return r.a + r["b c"] }', ['a', 'b c']],
    ['({ a, b: c = 1, "d e": f }) => a + c + f', ['a', 'b', 'd e']],
    ['({ a } = {}) => a', ['a']],
    ['(r) => { const { a, b: { x } } = r; return a + x }', ['a', 'b']],
    ['(r) => r?.a?.length', ['a']],
    ['(r) => r.url.startsWith("x")', ['url']],
    ['(r) => ({ a: r.a, n: [r.b] })', ['a', 'b']],
    ['(r) => `${r.a}`', ['a']],
    ['(r) => [1, 2].map((x) => x * r.a)', ['a']],
    ['(r) => helper(r.a)', ['a']],
    ['(r) => { let n = 0; for (const t of r.tags) n += t.length; return n }', ['tags']],
    ['(r /* the row */) => r.a // done', ['a']],
    ['() => 1', []],
    ['({ onRecord(r, ctx) { ctx.emit({ a: r.a }) } }).onRecord', ['a']],
    ['({ ["on record"](r) { return r.a } })["on record"]', ['a']],
    ['class { static key(r) { return r.a } }.key', ['a']],
    ['(r) => { try { return r.a } catch { return r.b } }', ['a', 'b']],
    ['(r) => { label: for (;;) { if (r.a) break label } }', ['a']],
  ])('%s', (source, fields) => expect(fieldsOf(source)).toEqual(fields))

  it('look at the parameter they are asked about', () => {
    expect(fieldsOf('(acc, r) => acc + r.price', 1)).toEqual(['price'])
    expect(fieldsOf('(acc, r) => helper(acc) + r.price', 1)).toEqual(['price'])
    expect(fieldsOf('(acc, r = acc) => r.price', 0)).toMatch(/whole/)
  })
})

describe('functions that get plain rows', () => {
  it.each([
    ['r => ({ ...r, b: 1 })', 'spreads'],
    ['({ a, ...rest }) => rest', 'collects'],
    ['(r) => { const { a, ...rest } = r; return rest }', 'collects'],
    ['r => helper(r)', 'passes the row'],
    ['r => JSON.stringify(r)', 'passes the row'],
    ['r => new Map([[1, r]])', 'puts the row'],
    ['r => "a" in r', '`in`'],
    ['(r) => { for (const k in r) return k }', 'lists'],
    ['r => r', 'returns the row'],
    ['r => { return r }', 'returns the row'],
    ['r => (r.a ? r : undefined)', 'whole'],
    ['r => ({ r })', 'puts the row'],
    ['r => () => r', 'returns the row'],
    ['function (r) { return arguments[0].a }', '`arguments`'],
    ['function (r) { return this.x + r.a }', '`this`'],
    ['async (r) => r.a', 'asynchronous'],
    ['function* (r) { yield r.a }', 'generator'],
    ['({ async m(r) { return r.a } }).m', 'asynchronous'],
    ['(r) => { r.a = 1 }', 'writes'],
    ['(r) => { r.a++ }', 'writes'],
    ['(r) => { [r.a] = [1] }', 'writes'],
    ['(r) => { ({ x: r.a } = { x: 1 }) }', 'writes'],
    ['(r) => { delete r.a }', '`delete`'],
    ['(r) => { delete r?.a }', '`delete`'],
    ['(r) => { const s = r; return s.a }', 'another name'],
    ['(r) => { let s; s = r; return s.a }', 'stores'],
    ['(r) => { r = { a: 1 }; return r.a }', 'assigns'],
    ['(r, k) => r[k]', 'computed'],
    ['({ [helper("a")]: x }) => x', 'computed'],
    ['(r) => r.toString()', 'method'],
    ['(r) => r.constructor', 'every object'],
    ['(...rows) => rows[0].a', 'array'],
    ['([a]) => a', 'array'],
    ['(r) => r === undefined', 'compares'],
    ['(r) => typeof r', 'whole'],
    ['(r) => { class X { f = r }; return X }', 'class'],
    ['((r) => r.a).bind(null)', 'native or bound'],
    ['Number', 'native or bound'],
    ['class {}', 'class'],
  ])('%s', (source, reason) => expect(fieldsOf(source)).toContain(reason))

  it.each([
    ['(r) => [1].some((x) => x === r.a)', true],
    ['(r) => ({ later: () => r.a })', true],
    ['(r) => ({ get later() { return r.a } })', true],
    ['(r) => (x = r.a) => x', true],
    ['(r) => (({ b }) => b + r.a)', true],
    ['(r) => { const { a } = r; return () => a }', false],
    ['(r) => { const a = r.a; return [1].map((x) => x + a) }', false],
    ['(r) => [1].map((r) => r)', 'escapes'],
  ])('%s: an inner function reads the row: %s', (source, captured) => {
    const use = columnsOf(made(source))
    expect(use.fields === undefined ? 'escapes' : use.captured).toBe(captured)
  })

  it('may return the row where the caller copies results', () => {
    const use = (source: string) => columnsOf(made(source), 0, 'allowed').fields !== undefined
    expect(['r => r', '(r) => { if (r.a) return r; return undefined }'].map(use)).toEqual([
      true,
      true,
    ])
    expect(
      [
        'r => ({ r })',
        'r => [r]',
        'r => () => r',
        'r => (r.a ? r : 1)',
        'r => [1].map(() => { try { return r } catch { return r } })',
      ].map(use),
    ).toEqual(Array(5).fill(false))
  })
})

describe('the same function after tools', () => {
  const source =
    'export const pick = (row) => { const { auction, price } = row; if (auction % 123 === 0) { return { a: auction, p: price * 0.908, u: row.url?.length } } return undefined }'
  const load = (text: string): Fn =>
    new Function(
      `${text.replace(/export\s*\{\s*(\w+) as pick\s*\};?\s*$/, 'return $1').replace(/export\s*\{\s*pick\s*\};?\s*$/, 'return pick')}`,
    )() as Fn
  const wanted = ['auction', 'price', 'url']
  it('minified', () => {
    const { code } = transformSync(source, { minify: true, format: 'esm' })
    expect([...columnsOf(load(code)).fields!]).toEqual(wanted)
  })
  it('bundled for an old target', () => {
    const [file] = buildSync({
      stdin: { contents: source, loader: 'js' },
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2018',
    }).outputFiles
    expect([...columnsOf(load(file!.text)).fields!]).toEqual(wanted)
  })
  it('instrumented for coverage', () => {
    const text = `(row) => { cov_1a().f[0]++; cov_1a().s[0]++; if ((cov_1a().b[0][0]++, row.a > 1)) { cov_1a().s[1]++; return (cov_1a().b[1][0]++, row.b) } else { cov_1a().b[0][1]++ } return 0 }`
    expect([
      ...columnsOf(new Function(`const cov_1a = () => ({}); return ${text}`)() as Fn).fields!,
    ]).toEqual(['a', 'b'])
  })
})
