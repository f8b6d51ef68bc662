/** Copies of values without schema. */
import { ownDynamic } from '../schema/dynamic.ts'
import { plainRow } from '../frame/plain-row.ts'

/** A deep, frozen copy of a row or value that shares nothing with frames or user code. */
export function dynamicOwned(value: unknown): unknown {
  return ownDynamic(plainRow(value))
}
