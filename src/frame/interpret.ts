/** The readers of a layout without generated code: equal results, one look-up per field instead of none. */
import { valueCodec } from '../schema/codec.ts'
import { plainRow } from '../schema/row.ts'
import { defineField } from '../schema/check.ts'
import { type Column, type Columns, hasHeap } from './columns.ts'
import { fieldNames } from './emit.ts'
import { HEADER_BYTES, SLOTS } from './format.ts'
import { Frame, type FrameHead, openHeap, type Region } from './frame.ts'
import type { FrameLayout, Readers } from './layout.ts'
import { freezeDeep, readCell, rowSettings } from './rows.ts'

/** The numbered properties of a frame, as `emit.ts` names them. */
type Numbered = Frame & { [property: string]: unknown }

/** The value at place `i` of a column. */
export function readColumn(column: Column, frame: Frame, i: number): unknown {
  // `as`: every frame class has these properties, numbered by column.
  const slots = frame as unknown as { readonly [property: string]: number }
  const k = column.index
  if (column.optional && ((frame.u8[slots[`n${k}`]! + (i >> 3)]! >> (i & 7)) & 1) === 1)
    return undefined
  const first = slots[`o${k}`]! + i
  switch (column.storage) {
    case 'number':
      return frame.f64[first]
    case 'bool':
      return frame.u8[first] === 1
    case 'code':
      return column.values[frame.u8[first]!]
    case 'place':
      return frame.u8[first]
    case 'text':
      return columnText(column, frame).slice(frame.i32[first], frame.i32[first + 1])
    default: {
      const start = slots[`p${k}`]! + frame.i32[first]!
      const end = slots[`p${k}`]! + frame.i32[first + 1]!
      if (column.storage === 'bytes') return frame.u8.slice(start, end)
      return readCell(valueCodec(column), frame.u8, start, end)
    }
  }
}

/** The heap of a text column as a string. */
export function columnText(column: Column, frame: Frame): string {
  const methods = frame as unknown as { readonly [method: string]: () => string }
  return methods[`t${column.index}`]!()
}

export function interpretReaders(columns: Columns): Readers {
  const plain = (frame: Frame, i: number): unknown => {
    const row = plainRowOf(columns, frame, i)
    return rowSettings.freeze ? freezeDeep(row) : row
  }
  return { FrameClass: frameClass(columns), View: viewClass(columns, plain), plain }
}

function plainRowOf(columns: Columns, frame: Frame, i: number): unknown {
  if (columns.rows === 'value') return readColumn(columns.all[0]!, frame, i)
  const row = {}
  let part = columns.parts[0]!
  let at = i
  if (columns.rows === 'variant') {
    part =
      columns.parts[columns.all[0]!.values.indexOf(String(readColumn(columns.all[0]!, frame, i)))]!
    at = Number(readColumn(columns.all[1]!, frame, i))
    defineField(row, columns.tag, part.tag)
  }
  for (const column of part.shown) defineField(row, column.field, readColumn(column, frame, at))
  return row
}

function frameClass(columns: Columns): Readers['FrameClass'] {
  class FrameClass extends Frame {
    constructor(layout: FrameLayout, region: Region, head: FrameHead, s: Int32Array) {
      super(layout, region, head)
      const self = this as unknown as Numbered
      for (const column of columns.all) {
        const k = column.index
        self[`o${k}`] = s[k * SLOTS]
        if (column.optional) self[`n${k}`] = s[k * SLOTS + 1]
        if (hasHeap(column.storage)) {
          self[`p${k}`] = s[k * SLOTS + 2]
          self[`b${k}`] = s[k * SLOTS + 3]
        }
        if (column.storage !== 'text') continue
        self[`a${k}`] = s[k * SLOTS + 4]
        self[`h${k}`] = undefined
      }
      if (columns.rows !== 'variant') return
      const entry = (head.start + HEADER_BYTES) >>> 2
      for (let part = 0; part < columns.parts.length; part++)
        self[`r${part}`] = region.i32[entry + part * 2]
    }
  }
  for (const column of columns.all) {
    if (column.storage !== 'text') continue
    const k = column.index
    Object.defineProperty(FrameClass.prototype, `t${k}`, {
      value(this: Numbered): string {
        const rows = columns.rows === 'variant' ? (this[`r${column.part}`] as number) : this.length
        const units = this.i32[(this[`o${k}`] as number) + rows]!
        this[`h${k}`] ??= openHeap(
          this.u8,
          this[`p${k}`] as number,
          this[`b${k}`] as number,
          units,
          this[`a${k}`] as number,
        )
        return this[`h${k}`] as string
      },
    })
  }
  return FrameClass
}

function viewClass(columns: Columns, plain: (frame: Frame, i: number) => unknown): Readers['View'] {
  const fields = fieldNames(columns)
  class View {
    readonly #frame: Frame
    readonly #i: number
    constructor(frame: Frame, i: number) {
      this.#frame = frame
      this.#i = i
    }
    static field(view: View, field: string): unknown {
      return fieldOf(columns, field, view.#frame, view.#i)
    }
    static plain(view: View): unknown {
      return plain(view.#frame, view.#i)
    }
  }
  for (const field of fields) {
    Object.defineProperty(View.prototype, field, {
      get(this: View) {
        return View.field(this, field)
      },
      configurable: true,
    })
  }
  const toPlain = {
    value(this: View) {
      return View.plain(this)
    },
  }
  if (!fields.has('toJSON')) Object.defineProperty(View.prototype, 'toJSON', toPlain)
  Object.defineProperty(View.prototype, plainRow, toPlain)
  return View
}

function fieldOf(columns: Columns, field: string, frame: Frame, i: number): unknown {
  let part = columns.parts[0]!
  let at = i
  if (columns.rows === 'variant') {
    const tag = readColumn(columns.all[0]!, frame, i)
    if (field === columns.tag) return tag
    part = columns.parts.find((one) => one.tag === tag)!
    at = Number(readColumn(columns.all[1]!, frame, i))
  }
  const column = part.columns.find((one) => one.field === field)
  return column && readColumn(column, frame, at)
}
