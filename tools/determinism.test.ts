import { describe, expect, it } from 'vitest'
import { findNondeterminism } from './determinism.ts'
import { readFiles } from './source-files.ts'

const inEngine = (text: string): string[] =>
  findNondeterminism([{ path: 'src/runtime/planted.ts', text }])

describe('the sources', () => {
  it('hold nothing that goes around Env', () => {
    expect(findNondeterminism(readFiles('src', /\.ts$/))).toEqual([])
  })
})

describe('a planted ban is found once', () => {
  it.each([
    'const at = Date.now()',
    "const at = Date['now']()",
    'const at = globalThis.Date.parse(text)',
    'const at = new Date()',
    'const at = Date()',
    'const D = Date',
    'const { random } = Math',
    'const x = Math.random()',
    'const x = performance.now()',
    'setTimeout(f, 1)',
    'queueMicrotask(f)',
    "await fetch('x')",
    'const argv = process.argv',
    'const b = Buffer.alloc(1)',
    'names.sort((a, b) => a.localeCompare(b))',
    'const t = (5).toLocaleString()',
    'Atomics.wait(cells, 0, 0)',
    "new BroadcastChannel('x')",
    'const v = v8.deserialize(bytes)',
    "eval('1')",
    "const f = new Function('return 1')",
  ])('%s', (text) => {
    expect(inEngine(text)).toHaveLength(1)
  })
})

describe('what is allowed', () => {
  it.each([
    'const at = new Date(ms).toISOString()',
    'const at = Date.parse(text)',
    'const at = Date.UTC(2001, 0, 1)',
    'const x = Math.max(1, 2)',
    'stream.process(spec)',
    'const spec = { process: 1, fetch() {} }',
    'function run(process: Process) { return process.end() }',
    'type F = typeof Math.max; interface P { performance: number }',
    'void Atomics.waitAsync(cells, 0, 0)',
  ])('%s', (text) => {
    expect(inEngine(text)).toEqual([])
  })

  it('clocks in the platform, but code from text only in its one file', () => {
    const text = 'const at = Date.now(); const f = new Function(code)'
    expect(findNondeterminism([{ path: 'src/platform/node.ts', text }])).toHaveLength(1)
    expect(findNondeterminism([{ path: 'src/base/codegen.ts', text: 'new Function(x)' }])).toEqual(
      [],
    )
    expect(findNondeterminism([{ path: 'src/log/a.test.ts', text }])).toEqual([])
  })
})
