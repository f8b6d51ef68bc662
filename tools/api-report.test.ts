import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportOf } from './api-report.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-api-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function report(files: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return reportOf(join(folder, 'index.d.ts'), folder)
}

describe('the report of an entry point', () => {
  it('holds exported declarations in order and what they mention, without comments', () => {
    const { text, anyIn } = report({
      'index.d.ts': "export { zeta, type Alpha as First } from './a.js'\n",
      'a.d.ts': [
        '/** A comment. */',
        'export declare function zeta(hidden: Hidden): void',
        'export interface Alpha { readonly x: number }',
        'export interface Hidden { readonly y: string }',
        'export interface Unused { readonly z: any }',
      ].join('\n'),
    })
    expect(text.replace(/\s+/g, ' ')).toBe(
      'export interface Alpha { readonly x: number; } ' +
        'export declare function zeta(hidden: Hidden): void; ' +
        '// Mentioned by the above, not exported: ' +
        'export interface Hidden { readonly y: string; } ',
    )
    expect(anyIn).toEqual([])
  })

  it('finds any, also behind a type that is only mentioned', () => {
    const { anyIn } = report({
      'index.d.ts':
        'interface Deep { readonly v: any[] }\nexport declare const a: { deep: Deep }\nexport {}\n',
    })
    expect(anyIn).toEqual(['Deep'])
  })
})
