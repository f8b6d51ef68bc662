/**
 * The sidecar file `marks`: how far readers in other processes may go.
 *
 * Two slots of 96 bytes, written in turn, so that one of them is whole whatever happens to the other. It is written
 * after every group commit and not synced (its loss only hides records until the next writer opens), synced when the
 * writer closes. Because a slot is written after the sync it speaks of, a `durable` that can be read was true.
 */
import { crc32 } from '../base/crc32.ts'
import { type Disk, DiskError, type DiskFile } from '../base/env.ts'
import { readFully, writeFully } from '../base/disk-io.ts'
import { getU53, isZero, putU53, viewOf } from './format.ts'

export const marksFile = 'marks'
const magic = 0x4d4c4d54 // 'TMLM'
const version = 1
const slotBytes = 96
const usedBytes = 64
export const marksBytes = 2 * slotBytes

export interface Marks {
  readonly generation: number
  /** Grows by one with every write of a generation. */
  readonly sequence: number
  /** Records below it survived a sync. */
  readonly durable: number
  /** Records below it were handed to the operating system. */
  readonly written: number
  /** Records below it are outside open transactions. */
  readonly stable: number
  /** CRC-32 of the boot id: `written` means nothing after a reboot. */
  readonly boot: number
  readonly closed: boolean
}

export function bootNumber(bootId: string): number {
  return crc32(new TextEncoder().encode(bootId))
}

/** Writes marks in turn into the two slots, through one pooled buffer. */
export class MarksWriter {
  readonly #file: DiskFile
  readonly #seed: number
  readonly #bytes = new Uint8Array(slotBytes)
  readonly #view = viewOf(this.#bytes)
  sequence = 0

  constructor(file: DiskFile, seed: number) {
    this.#file = file
    this.#seed = seed
  }

  async write(marks: Omit<Marks, 'sequence'>): Promise<void> {
    const sequence = ++this.sequence
    const view = this.#view
    view.setUint32(0, magic, true)
    view.setUint16(8, version, true)
    view.setUint16(10, marks.closed ? 1 : 0, true)
    view.setUint32(12, marks.generation, true)
    putU53(view, 16, sequence)
    putU53(view, 24, marks.durable)
    putU53(view, 32, marks.written)
    putU53(view, 40, marks.stable)
    view.setUint32(48, marks.boot, true)
    view.setUint32(4, crc32(this.#bytes.subarray(8, usedBytes), this.#seed), true)
    await writeFully(this.#file, this.#bytes, (sequence & 1) * slotBytes)
  }

  sync(): Promise<void> {
    return this.#file.fdatasync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Opens the sidecar for writing, creating it when needed. */
export async function openMarks(
  disk: Disk,
  directory: string,
): Promise<{ file: DiskFile; created: boolean }> {
  const path = `${directory}/${marksFile}`
  try {
    return { file: await disk.open(path, 'write'), created: false }
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'ENOENT')) throw error
    return { file: await disk.open(path, 'create'), created: true }
  }
}

export interface MarksRead {
  /** The newest valid slot. */
  readonly marks: Marks | undefined
  /** Positions of slots that hold something that fails its check. */
  readonly damaged: readonly number[]
}

export async function readMarks(
  file: DiskFile,
  seed: number,
  into: Uint8Array,
): Promise<MarksRead> {
  const count = await readFully(file, into, 0)
  let marks: Marks | undefined
  const damaged: number[] = []
  for (let at = 0; at < count; at += slotBytes) {
    const found = decodeSlot(into, at, count, seed)
    if (found === 'empty') continue
    if (found === 'damaged') damaged.push(at)
    else if (marks === undefined || isNewer(found, marks)) marks = found
  }
  return { marks, damaged }
}

function decodeSlot(
  bytes: Uint8Array,
  at: number,
  end: number,
  seed: number,
): Marks | 'empty' | 'damaged' {
  if (isZero(bytes, at, Math.min(end, at + slotBytes))) return 'empty'
  if (end - at < slotBytes) return 'damaged'
  const view = viewOf(bytes)
  if (view.getUint32(at, true) !== magic || view.getUint16(at + 8, true) !== version)
    return 'damaged'
  if (crc32(bytes.subarray(at + 8, at + usedBytes), seed) !== view.getUint32(at + 4, true))
    return 'damaged'
  if (!isZero(bytes, at + usedBytes, at + slotBytes)) return 'damaged'
  return {
    closed: view.getUint16(at + 10, true) === 1,
    generation: view.getUint32(at + 12, true),
    sequence: getU53(view, at + 16),
    durable: getU53(view, at + 24),
    written: getU53(view, at + 32),
    stable: getU53(view, at + 40),
    boot: view.getUint32(at + 48, true),
  }
}

function isNewer(a: Marks, b: Marks): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.sequence > b.sequence)
}
