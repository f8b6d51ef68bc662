/**
 * The shapes of the rows that one exchange has seen. Rows of one step nearly always have one shape, so the hot path is one
 * test of the row before; whatever fails it is looked at field by field here.
 */
import { isPlain } from '../schema/dynamic.ts'
import { defineField } from '../schema/check.ts'
import { readField, toPlain } from '../schema/row.ts'
import {
  canBeColumns,
  dynamicForm,
  type FieldKind,
  kindOf,
  type RowForm,
  sameKinds,
  sameNames,
  widen,
} from './columns.ts'
import { makeShape, type Shape } from './shape.ts'

/** Each costs a generated builder and scratch memory per target; rows of further forms travel self-described. */
const SHAPES_MAX = 16

export class RowShapes {
  /** The shape of the last row. */
  current: Shape
  /** What to append instead of the row that was given to {@link learn}. */
  row: unknown
  /** Changes when a shape was widened, which makes its older self useless. */
  version: number
  private readonly fields: readonly string[] | undefined
  private readonly shapes: Shape[]
  private readonly dynamic: Shape
  private nextId: number

  /** `nth`: of two sets of shapes on one channel, 0 or 1. Their numbers differ. */
  constructor(fields: readonly string[] | undefined, nth: 0 | 1 = 0) {
    this.fields = fields
    // It never matches, so that each row is looked at: the next one may have columns.
    this.dynamic = { ...makeShape(nth, dynamicForm, fields !== undefined), matches: () => false }
    this.shapes = []
    this.nextId = nth + 2
    this.current = this.dynamic
    this.row = undefined
    this.version = 0
  }

  /** A known shape that the row seems to have. */
  find(row: unknown): Shape | undefined {
    for (const shape of this.shapes) {
      if (shape.matches(row)) {
        this.current = shape
        return shape
      }
    }
    return undefined
  }

  /** The shape of a row that no known shape takes as it is: a new one, a widened one, or that of odd rows. */
  learn(row: unknown): Shape {
    const value = this.fields === undefined ? toPlain(row) : row
    this.row = value
    this.current = this.shapeFor(value)
    return this.current
  }

  isLive(shape: Shape): boolean {
    return shape === this.dynamic || this.shapes.includes(shape)
  }

  private shapeFor(value: unknown): Shape {
    const { fields } = this
    const isObject = typeof value === 'object' && value !== null
    if (!isObject || (fields === undefined && !isPlain(value))) {
      const kind = kindOf(value)
      return this.widened(undefined, [kind.kind === 'absent' ? dynamicForm.kinds[0]! : kind])
    }
    const names = fields ?? Object.keys(value)
    if (canBeColumns(names))
      return this.widened(
        names,
        names.map((one) => kindOf(readField(value, one))),
      )
    if (fields !== undefined) this.row = pick(value, fields)
    return this.dynamic
  }

  private widened(names: readonly string[] | undefined, kinds: readonly FieldKind[]): Shape {
    const at = this.shapes.findIndex((one) => sameNames(one.form.names, names))
    const known = this.shapes[at]
    if (known === undefined) {
      if (this.shapes.length >= SHAPES_MAX) return this.dynamic
      const shape = this.make({ names, kinds })
      this.shapes.push(shape)
      return shape
    }
    const wider = known.form.kinds.map((kind, i) => widen(kind, kinds[i]!))
    if (sameKinds(wider, known.form.kinds)) return known
    const shape = this.make({ names, kinds: wider })
    this.shapes[at] = shape
    this.version++
    return shape
  }

  private make(form: RowForm): Shape {
    const id = this.nextId
    this.nextId += 2
    return makeShape(id, form, this.fields !== undefined)
  }
}

function pick(row: object, fields: readonly string[]): object {
  const picked = {}
  for (const one of fields) defineField(picked, one, readField(row, one))
  return picked
}
