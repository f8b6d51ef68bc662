import { expect, it } from 'vitest'
import { readText } from '../schema/text.ts'
import { readAscii } from '../base/ascii.ts'
import { installNativeAscii } from './node-ascii.ts'

it('reads ASCII natively and leaves everything else to UTF-8', () => {
  installNativeAscii()
  const text = 'the quick brown fox jumps over the lazy dog, twice'
  for (const extra of ['', 'ä', '🙂', '\u0000', '\u007f']) {
    const bytes = new TextEncoder().encode(`__${text}${extra}__`)
    const inner = readText(bytes, 2, bytes.length - 2)
    expect(inner).toBe(text + extra)
    expect(readAscii(bytes, 2, bytes.length - 2)).toBe(
      /^[\u0000-\u007f]*$/.test(extra) ? text + extra : undefined,
    )
  }
  expect(() => readText(Uint8Array.from(Array.from(text, () => 0xff)), 0, text.length)).toThrow()
})
