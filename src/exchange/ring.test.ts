import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CONTROL_BYTES, RingReader, RingWriter } from './ring.ts'

function ring(bytes: number) {
  const memory = new SharedArrayBuffer(CONTROL_BYTES + bytes)
  const count = { toReader: 0, toWriter: 0, armed: 0 }
  const own = { arm: () => count.armed++ }
  const writer = new RingWriter(memory, 0, bytes, { ring: () => count.toReader++ }, own)
  const reader = new RingReader(memory, 0, bytes, { ring: () => count.toWriter++ }, own)
  return { memory, writer, reader, count }
}

function message(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff)
}

test('messages come out whole and in order, whatever their size and whoever waits', () => {
  const step = fc.oneof(
    fc.record({ write: fc.oneof(fc.nat(40), fc.nat(700)) }),
    fc.constant('read' as const),
    fc.constant('news' as const),
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.constantFrom(64, 128, 1024),
      (steps, bytes) => {
        const { writer, reader } = ring(bytes)
        const sent: Uint8Array[] = []
        const received: Uint8Array[] = []
        steps.forEach((one, i) => {
          if (one === 'read') {
            const read = reader.read()
            if (read !== undefined) received.push(read)
          } else if (one === 'news') writer.pump()
          else {
            const bytesSent = message(one.write, i)
            if (writer.write(bytesSent)) sent.push(bytesSent.slice())
            bytesSent.fill(0)
          }
          expect(writer.fill).toBeLessThanOrEqual(1)
        })
        while (!writer.pump() || reader.fill > 0) {
          const read = reader.read()
          if (read !== undefined) received.push(read)
        }
        expect(received).toEqual(sent)
        expect(reader.fill).toBe(0)
      },
    ),
    { numRuns: 300 },
  )
})

test('positions may pass 2^32', () => {
  const memory = new SharedArrayBuffer(CONTROL_BYTES + 64)
  const control = new Int32Array(memory, 0, CONTROL_BYTES >>> 2)
  control[0] = 0x7fff_fffe
  control[16] = 0x7fff_fffe
  const none = { ring: () => {}, arm: () => {} }
  const writer = new RingWriter(memory, 0, 64, none, none)
  const reader = new RingReader(memory, 0, 64, none, none)
  for (let i = 0; i < 20; i++) {
    expect(writer.write(message(20, i))).toBe(true)
    expect(writer.write(message(20, i + 1))).toBe(true)
    expect(writer.write(message(20, i + 2))).toBe(false)
    expect(reader.read()).toEqual(message(20, i))
    expect(reader.read()).toEqual(message(20, i + 1))
    expect(reader.read()).toBeUndefined()
  }
})

test('two messages of the largest size that goes in one piece fit', () => {
  const { writer, reader } = ring(128)
  expect(writer.write(message(56, 1))).toBe(true)
  expect(writer.write(message(56, 2))).toBe(true)
  expect(writer.fill).toBe(1)
  expect(writer.write(message(0, 3))).toBe(false)
  expect(reader.read()).toEqual(message(56, 1))
  expect(writer.write(message(0, 3))).toBe(true)
})

test('the writer is told of room once half of the ring is free, and only if it asked', () => {
  const { writer, reader, count } = ring(128)
  for (let i = 0; i < 4; i++) expect(writer.write(message(24, i))).toBe(true)
  reader.read()
  expect(writer.write(message(24, 4))).toBe(true)
  expect(count.toWriter).toBe(0)
  expect(writer.write(message(24, 5))).toBe(false)
  reader.read()
  expect(count.toWriter).toBe(0)
  reader.read()
  expect(count.toWriter).toBe(1)
  reader.read()
  expect(count.toWriter).toBe(1)
})

test('whoever finds nothing arms its bell before it looks again', () => {
  const { writer, reader, count } = ring(64)
  expect(reader.read()).toBeUndefined()
  expect(count.armed).toBe(1)
  writer.write(message(8, 1))
  expect(count.toReader).toBe(1)
  reader.read()
  expect(count.armed).toBe(1)
})
