/** A layout's frame builder without generated code, of equal results. */
import { checkValue, unfit } from '../schema/check.ts'
import { valueCodec } from '../schema/codec.ts'
import { readField } from '../schema/row.ts'
import { FrameBuilder, type Scratch } from './builder.ts'
import { type Column, type Columns, fixedBytes, hasHeap, type Part } from './columns.ts'
import { codesOf } from './builder-generated.ts'
import { type Frame, FRAME_ROWS_MAX } from './frame.ts'
import type { FrameLayout } from './layout.ts'

export function interpretBuilder(columns: Columns): new (layout: FrameLayout) => FrameBuilder {
  return class extends FrameBuilder {
    append(row: unknown, timestampMs?: number, hash?: number): boolean {
      if (this.length === FRAME_ROWS_MAX) throw this.full()
      const index = this.partOf(row)
      const part = columns.parts[index]!
      const values = part.columns.map((column) =>
        columns.rows === 'value' ? row : readField(row as object, column.field),
      )
      const j = this.counts[index]!
      part.columns.forEach((column, c) => {
        check(column, this.scratch[column.index]!, j, values[c])
      })
      part.columns.forEach((column, c) => {
        store(column, this.scratch[column.index]!, j, values[c])
      })
      return this.counted(part, index, j, timestampMs, hash)
    }

    protected copyRow(
      frame: Frame,
      i: number,
      timestampMs: number,
      hash: number | undefined,
    ): boolean {
      return this.append(frame.layout.plain(frame, i), timestampMs, hash)
    }

    private partOf(row: unknown): number {
      if (columns.rows === 'value') return 0
      if (typeof row !== 'object' || row === null) throw unfit(this.layout.schema.type, row, '')
      if (columns.rows === 'struct') return 0
      const tag = readField(row, columns.tag)
      const index = columns.parts.findIndex((part) => part.tag === tag)
      if (index < 0) throw unfit(this.layout.schema.type, row, '')
      return index
    }

    private counted(
      part: Part,
      index: number,
      j: number,
      timestampMs?: number,
      hash?: number,
    ): boolean {
      let size = fixedBytes(part)
      for (const column of part.columns) {
        if (!hasHeap(column.storage)) continue
        const { ends } = this.scratch[column.index]!
        size += ends[j + 1]! - ends[j]!
      }
      if (columns.rows === 'variant') {
        this.scratch[0]!.u8[this.length] = index
        this.scratch[1]!.u8[this.length] = j
      }
      this.counts[index] = j + 1
      return this.added(timestampMs, hash, size)
    }
  }
}

function check(column: Column, scratch: Scratch, j: number, value: unknown): void {
  if (column.storage === 'cell') {
    scratch.writer.position = scratch.ends[j]!
    if (!column.optional || value !== undefined) valueCodec(column).write(value, scratch.writer)
    return
  }
  if (column.optional && value === undefined) return
  if (checkValue(column.type, value) !== undefined) throw unfit(column.type, value, column.field)
}

function store(column: Column, scratch: Scratch, j: number, value: unknown): void {
  if (column.optional) {
    const bit = 1 << (j & 7)
    if (value === undefined) scratch.absent[j >> 3]! |= bit
    else scratch.absent[j >> 3]! &= ~bit
  }
  // `as`: the value was checked against the column's type just before.
  switch (column.storage) {
    case 'number':
      scratch.f64[j] =
        value === undefined
          ? 0
          : column.type.kind === 'int'
            ? (value as number) + 0
            : (value as number)
      return
    case 'bool':
      scratch.u8[j] = value === true ? 1 : 0
      return
    case 'code':
      scratch.u8[j] = value === undefined ? 0 : codesOf(column).get(value)!
      return
    case 'text': {
      const text = (value ?? '') as string
      scratch.text += text
      scratch.ends[j + 1] = scratch.ends[j]! + text.length
      return
    }
    case 'bytes':
      scratch.writer.position = scratch.ends[j]!
      if (value !== undefined) scratch.writer.raw(value as Uint8Array)
      scratch.ends[j + 1] = scratch.writer.position
      return
    default:
      scratch.ends[j + 1] = scratch.writer.position
  }
}
