/** Bytes of version 1: what these files hold must be read, and written again, for ever. Files are added, never edited. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { schemaOf } from '../schema/schema.ts'
import type { SchemaType } from '../schema/types.ts'
import { decodeFrame } from './decode.ts'
import { goldenFrame, goldenValues } from './golden.test-support.ts'

const golden = (path: string): Buffer =>
  readFileSync(new URL(`../../test/golden/${path}`, import.meta.url))

describe('golden bytes, version 1', () => {
  const stored = JSON.parse(golden('values/v1/values.json').toString('utf8')) as {
    type: SchemaType
    hash: string
    json: string
    bytes: string
  }[]
  it.each(goldenValues().map((value, i) => [i, value] as const))(
    'value %i',
    (i, { schema, value, json }) => {
      const one = stored[i]!
      expect(schemaOf(one.type).hash).toBe(one.hash)
      expect(schema.hash).toBe(one.hash)
      expect(Buffer.from(schema.encode(value)).toString('hex')).toBe(one.bytes)
      expect(schemaOf(one.type).decode(Buffer.from(one.bytes, 'hex'))).toEqual(value)
      expect(Buffer.from(json).toString('utf8')).toBe(one.json)
    },
  )
  it.each(goldenFrame())('frame %s', (name, frame) => {
    const bytes = new Uint8Array(golden(`frame/v1/${name}.bin`))
    expect(Buffer.from(frame.bytes).equals(bytes)).toBe(true)
    const read = decodeFrame(frame.layout, bytes)
    for (let i = 0; i < frame.length; i++) expect(read.row(i)).toEqual(frame.row(i))
    expect(read.hashes).toEqual(frame.hashes)
  })
})
