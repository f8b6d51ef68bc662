import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { crc32 } from '../base/crc32.ts'
import { isTidemillError } from '../base/errors.ts'
import { createWorld } from '../testing/world/world.ts'
import {
  sampleBlocks,
  sampleIdentity,
  sampleManifest,
  writeSample,
} from '../../test/golden/snapshot/sample.ts'
import { openDataObject } from './data-reader.ts'
import { openDirectoryStorage } from './directory-storage.ts'
import { decodeManifest, encodeManifest } from './manifest.ts'
import { parseName } from './names.ts'

const id = { generation: 7, epoch: 418 }
const object = { name: 'g7-e418-s0.data', sizeBytes: 512, crc32: 4_294_967_295 }
const manifest = sampleManifest(object)
const goldenFile = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../test/golden/snapshot/v1/${name}`, import.meta.url)))

/** Puts a new checksum on changed bytes, as a writer of another version would. */
function resign(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer)
  view.setUint32(28, crc32(bytes.subarray(32), crc32(bytes.subarray(0, 28))), true)
  return bytes
}

describe('a manifest', () => {
  it('comes back as it was', () => {
    const decoded = decodeManifest(encodeManifest(manifest), id, 'f')
    expect(decoded).toEqual(manifest)
    expect(Object.entries(decoded.parameters)).toContainEqual(['__proto__', 'kept'])
  })

  it('has one encoding, whatever the order of its parts', () => {
    const { subtasks, parameters } = manifest
    const [first] = subtasks
    const shuffled = {
      ...manifest,
      parameters: Object.fromEntries(Object.entries(parameters).reverse()),
      subtasks: [
        {
          ...first!,
          positions: [...first!.positions].reverse(),
          sinks: [...first!.sinks].reverse(),
        },
      ],
    }
    expect(encodeManifest(shuffled)).toEqual(encodeManifest(manifest))
    expect(encodeManifest(decodeManifest(encodeManifest(manifest), id, 'f'))).toEqual(
      encodeManifest(manifest),
    )
  })

  it('refuses every flipped bit and every cut, naming the file', () => {
    const bytes = encodeManifest(manifest)
    const check = (damaged: Uint8Array, what: string): void => {
      try {
        decodeManifest(damaged, id, 'dir/g7-e418.manifest')
      } catch (error) {
        if (!isTidemillError(error)) throw error
        expect(['TM1501', 'TM1504']).toContain(error.code)
        expect(error.details).toMatchObject({ file: 'dir/g7-e418.manifest' })
        return
      }
      throw new Error(`${what} was not noticed`)
    }
    // One bit of every byte; all eight of the header.
    for (let bit = 0; bit < bytes.length * 8; bit += bit < 256 ? 1 : 9) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7))
      check(damaged, `bit ${bit}`)
    }
    for (let length = 0; length < bytes.length; length++)
      check(bytes.subarray(0, length), `cut at ${length}`)
    check(Uint8Array.of(...bytes, 0), 'a byte too many')
  })

  it('refuses the manifest of another epoch or generation under this name', () => {
    const bytes = encodeManifest(manifest)
    expect(() => decodeManifest(bytes, { ...id, epoch: 419 }, 'f')).toThrow(
      /generation 7, epoch 418/,
    )
    expect(() => decodeManifest(bytes, { ...id, generation: 8 }, 'f')).toThrow(
      /generation 7, epoch 418/,
    )
  })

  it('refuses a newer format with both versions', () => {
    const bytes = encodeManifest(manifest)
    bytes[4] = 3
    expect(() => decodeManifest(resign(bytes), id, 'f')).toThrow(
      /manifest format 3, this version reads up to 2/,
    )
  })

  it('has version 2 with objects that build on others, which earlier readers would not look for', () => {
    const [subtask] = manifest.subtasks
    const base = { ...object, name: 'g7-e417-s0.data', operators: ['totals', 'größe'] }
    const building = { ...manifest, subtasks: [{ ...subtask!, bases: [base] }] }
    const bytes = encodeManifest(building)
    expect([encodeManifest(manifest)[4], bytes[4]]).toEqual([1, 2])
    const sorted = { ...base, operators: ['größe', 'totals'] }
    expect(decodeManifest(bytes, id, 'f').subtasks[0]?.bases).toEqual([sorted])
    const elsewhere = { ...subtask!, bases: [{ ...base, name: '../g7-e417-s0.data' }] }
    const wrong = encodeManifest({ ...manifest, subtasks: [elsewhere] })
    expect(() => decodeManifest(wrong, id, 'f')).toThrow(/is not the name of a data object/)
    const swapped = { ...subtask!, bases: [base, { ...base, name: 'g7-e416-s0.data' }] }
    const mixed = encodeManifest({ ...manifest, subtasks: [swapped] })
    expect(() => decodeManifest(mixed, id, 'f')).toThrow(/do not ascend/)
  })

  it('says which field does not fit', () => {
    const wrong = { ...manifest, kind: 'backup' } as unknown as typeof manifest
    expect(() => decodeManifest(encodeManifest(wrong), id, 'f')).toThrow(
      /kind: expected one of checkpoint/,
    )
  })

  it('reads the golden files of version 1, and writes the same bytes', async () => {
    const golden = goldenFile('g7-e418.manifest')
    const data = goldenFile('g7-e418-s0.data')
    const stored = decodeManifest(golden, id, 'golden')
    const ref = stored.subtasks[0]!.object!
    expect(stored).toEqual(sampleManifest(ref))
    expect(encodeManifest(sampleManifest(ref))).toEqual(golden)
    const world = createWorld({ seed: 1 })
    world.disk.write(`/s/${ref.name}`, data)
    const end = await world.run(async (env) => {
      const reader = await openDataObject(openDirectoryStorage(env, '/s'), ref, sampleIdentity)
      await reader.verify()
      const found: unknown[] = []
      await reader.read(
        () => true,
        (operator, block) => void found.push({ operator, ...block, bytes: block.bytes.slice() }),
      )
      await reader.close()
      expect(found).toEqual(sampleBlocks)
      await writeSample(openDirectoryStorage(env, '/'))
    })
    expect(end.kind, end.kind === 'failed' ? String(end.error) : '').toBe('done')
    expect(world.disk.read(`/${ref.name}`)).toEqual(data)
  })
})

describe('names', () => {
  it('tells manifests, objects, leftovers and foreign files apart', () => {
    expect(parseName('g7-e418.manifest')).toEqual({ kind: 'manifest', id })
    expect(parseName('g7-e418-s12.data')).toEqual({ kind: 'data', id, subtask: 12 })
    for (const name of ['g7-e418.manifest.tmp', 'g7-e418-s0.data.publishing']) {
      expect(parseName(name)).toEqual({ kind: 'temporary' })
    }
    for (const name of [
      'g07-e1.manifest',
      'g0-e1.manifest',
      'g1-e1.manifest.bak',
      'notes.txt',
      'g1-e1-s01.data',
    ]) {
      expect(parseName(name)).toEqual({ kind: 'foreign' })
    }
  })
})
