import { readFileSync, existsSync, truncateSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { nodeEnv, readAll } from '../read-all.test-support.ts'
import { installNodeFileClients } from './client.ts'
import { codeOf, scratchDirectory } from './files.test-support.ts'
import { lines } from './lines.ts'
import { files } from './paths.ts'

const scratch = scratchDirectory()
beforeAll(() => installNodeFileClients())

describe('lines', () => {
  test('end with LF or CRLF, and the last one with neither', async () => {
    const file = scratch.write('mixed.txt', 'one\r\n\ntwo\nthr\ree\nlast')
    const { rows, places } = await readAll(lines(file))
    expect(rows).toEqual(['one', '', 'two', 'thr\ree', 'last'])
    expect(places[4]).toBe(`${file}:5`)
  })

  test('of an empty file, of one line, of line breaks only', async () => {
    expect((await readAll(lines(scratch.write('empty', '')))).rows).toEqual([])
    expect((await readAll(lines(scratch.write('one', 'x')))).rows).toEqual(['x'])
    expect((await readAll(lines(scratch.write('breaks', '\n\n')))).rows).toEqual(['', ''])
  })

  test('lose a byte order mark at the front only', async () => {
    const file = scratch.write('bom.txt', '\ufeffa\n\ufeffb\n')
    expect((await readAll(lines(file), { restart: true })).rows).toEqual(['a', '\ufeffb'])
  })

  test('tell where they stand', async () => {
    const file = scratch.write('located.txt', 'a\nb\n')
    expect((await readAll(lines(file, { locate: true }))).rows).toEqual([
      { file, line: 1, text: 'a' },
      { file, line: 2, text: 'b' },
    ])
  })

  test('of several files come file by file, each a partition', async () => {
    const [a, b] = [scratch.write('p1', '1\n2\n'), scratch.write('p2', '3\n')]
    expect((await readAll(lines(files(`${a}, ${b}`)))).rows).toEqual(['1', '2', '3'])
    const handle = await lines([b, a]).open({
      env: nodeEnv,
      name: 's',
      fields: undefined,
      mode: 'stream',
    })
    expect(await handle.partitions()).toEqual([b, a])
  })

  test('that are not UTF-8 are rejected with the byte, the others are kept (B09)', async () => {
    const bytes = new Uint8Array([0x61, 0x0a, 0x62, 0xff, 0x63, 0x0a, 0xc3, 0xa4, 0x0a, 0xe2, 0x82])
    const file = scratch.write('latin.txt', bytes)
    const { rows, rejected, places } = await readAll(lines(file))
    expect(rows).toEqual(['a', 'ä'])
    expect(places).toEqual([`${file}:1`, `${file}:3`])
    expect(rejected).toMatchObject([
      {
        raw: new Uint8Array([0x62, 0xff, 0x63]),
        source: file,
        position: 2,
        beforeRow: 1,
        error: { code: 'TM1711' },
      },
      { raw: new Uint8Array([0xe2, 0x82]), position: 4, beforeRow: 2 },
    ])
    expect(rejected[0]?.error.message).toContain('byte 2 of the record (4 of the file) is 0xff')
  })

  test('that are too long are skipped and rejected, wherever reads of the file end (B02)', async () => {
    const long = 'x'.repeat(5000)
    const file = scratch.write('long.txt', `a\n${long}\nb\n${'y'.repeat(100)}\n${long}`)
    for (const chunkBytes of [1, 7, 64, 333, 4096, 1 << 18]) {
      for (const restart of [false, true]) {
        const { rows, rejected, places } = await readAll(
          lines(file, { recordBytesMax: 100, chunkBytes }),
          { restart },
        )
        expect(rows).toEqual(['a', 'b', 'y'.repeat(100)])
        expect(places).toEqual([1, 3, 4].map((line) => `${file}:${line}`))
        expect(rejected.map((one) => [one.position, one.error.code, one.raw.length])).toEqual([
          [2, 'TM1710', 100],
          [5, 'TM1710', 100],
        ])
      }
    }
  })

  test('of a gzip file are those of its content, also of several members', async () => {
    const content = Array.from({ length: 30_000 }, (_, i) => `line ${i} ${'z'.repeat(i % 50)}`)
    const half = 15_000
    const members = [content.slice(0, half), content.slice(half)].map((part) =>
      gzipSync(`${part.join('\n')}\n`),
    )
    const file = scratch.write('two.gz', Buffer.concat(members))
    expect((await readAll(lines(file))).rows.join('\n')).toBe(content.join('\n'))
    const { positions } = await readAll(lines(file, { batchRowsMax: 10_000 }))
    const rest = await readAll(lines(file), { from: positions[1]! })
    const seen = content.length - rest.rows.length
    expect(seen).toBeGreaterThan(0)
    expect(rest.rows.every((row, i) => row === content[seen + i])).toBe(true)
    expect(rest.places[0]).toBe(`${file}:${seen + 1}`)
  })

  test('of a gzip file that is filled up with zeros, wherever a read ends', async () => {
    // Stored, not compressed: 32,768 bytes are exactly what is read at once.
    const whole = gzipSync(`${'x'.repeat(32_768 - 18 - 5 - 1)}\n`, { level: 0 })
    expect(whole.length).toBe(32_768)
    for (const member of [whole, gzipSync('short\n')]) {
      for (const zeros of [1, 512, 70_000]) {
        const file = scratch.write('filled.gz', Buffer.concat([member, Buffer.alloc(zeros)]))
        expect((await readAll(lines(file))).rows).toHaveLength(1)
        const more = scratch.write('more.gz', Buffer.concat([readFileSync(file), member]))
        expect(await codeOf(readAll(lines(more)))).toBe('TM1705')
      }
    }
  })
})

describe('a file that cannot be read', () => {
  test('is missing or a directory', async () => {
    expect(await codeOf(readAll(lines('/nowhere/at all.txt')))).toBe('TM1700')
    expect(await codeOf(readAll(lines(scratch.path)))).toBe('TM1701')
  })

  test('is damaged or cut gzip', async () => {
    const good = gzipSync('some text that is compressed\n'.repeat(1000))
    expect(await codeOf(readAll(lines(scratch.write('cut.gz', good.subarray(0, 60)))))).toBe(
      'TM1705',
    )
    const bad = Uint8Array.from(good)
    bad[bad.length - 6]! ^= 1
    expect(await codeOf(readAll(lines(scratch.write('bad.gz', bad))))).toBe('TM1705')
  })

  test('expands beyond its limits (S08)', async () => {
    const file = scratch.write('bomb.gz', gzipSync(new Uint8Array(80 << 20), { level: 1 }))
    expect(await codeOf(readAll(lines(file, { gzip: { ratioMax: 20 } })))).toBe('TM1706')
    expect(
      await codeOf(readAll(lines(file, { gzip: { outputBytesMax: 1 << 20, ratioMax: 1e6 } }))),
    ).toBe('TM1706')
  })

  test('was cut or replaced below the position (F14)', async () => {
    const file = scratch.write('grown.txt', 'first\nsecond\nthird\n')
    const { positions } = await readAll(lines(file, { batchRowsMax: 2 }))
    const from = positions[0]!
    expect((await readAll(lines(file), { from })).rows).toEqual(['third'])
    writeFileSync(file, 'FIRST\nsecond\nthird\n')
    expect(await codeOf(readAll(lines(file), { from }))).toBe('TM1703')
    truncateSync(file, 8)
    expect(await codeOf(readAll(lines(file), { from }))).toBe('TM1702')
    writeFileSync(file, gzipSync('first\n'))
    expect(await codeOf(readAll(lines(file), { from }))).toBe('TM1702')
    expect(await codeOf(readAll(lines(file), { from: new Uint8Array([9, 9]) }))).toBe('TM1708')
  })
})

test('wrong options are named', () => {
  expect(() => lines([])).toThrow('no file')
  expect(() => lines(undefined as unknown as string)).toThrow('the path is undefined')
  expect(() => lines(['a', 'a'])).toThrow('twice')
  expect(() => lines('a', { recordBytesMax: 0 })).toThrow('recordBytesMax')
})

const real = new URL('../../../../shared/data/user-behavior.csv.gz', import.meta.url).pathname
test.skipIf(!existsSync(real))('real data: the torn last line is a line', async () => {
  const { rows } = await readAll(lines(real))
  expect(rows.length).toBe(96_169)
  expect(rows.at(-1)).toBe('301780,543546,4181361,pv,15')
})
