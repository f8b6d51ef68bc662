/** The errors of this folder with what the reader needs to know: step, state, key. */
import { TidemillError } from '../base/errors.ts'
import { show } from '../schema/structure.ts'
import type { Key, Schema } from '../schema/types.ts'
import type { StoreCore } from './column.ts'
import { stateErrors } from './errors.ts'

/** TM1401 for a write to state `name` of the current key. */
export function unfitValue(
  core: StoreCore,
  name: string,
  schema: Schema<unknown>,
  value: unknown,
  part: string = '',
): TidemillError {
  const reason = schema.check(value) ?? 'it cannot be stored'
  return new TidemillError(stateErrors.unfitValue, {
    message: `state "${name}"${part}, ${reason}`,
    details: { operator: core.operator, state: name, key: showKey(core.currentKey()) },
  })
}

/** A deep, frozen copy of `value`; TM1401 if it does not fit. */
export function ownFor(
  core: StoreCore,
  name: string,
  schema: Schema<unknown>,
  value: unknown,
  part: string = '',
): unknown {
  if (value === undefined) throw unfitValue(core, name, schema, value, part)
  try {
    return schema.own(value)
  } catch (error) {
    if (schema.check(value) === undefined) throw error
    throw unfitValue(core, name, schema, value, part)
  }
}

/** TM1404. */
export function damagedState(operator: string, message: string, cause?: unknown): TidemillError {
  return new TidemillError(stateErrors.damaged, {
    message,
    details: { operator },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** TM1404 instead of the reader's own errors, with the step's name. */
export function whileReading(operator: string, what: string, read: () => void): void {
  try {
    read()
  } catch (error) {
    if (error instanceof TidemillError && error.code.startsWith('TM14')) throw error
    throw damagedState(operator, what, error)
  }
}

export function showKey(key: Key): string {
  return Array.isArray(key) ? `[${key.map(show).join(', ')}]` : show(key)
}
