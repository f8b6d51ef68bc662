/**
 * Which names a plan accepts.
 *
 * Names of sources, steps and sinks become directories, tables and labels; names of states, timers, outputs and
 * aggregates become fields of records. Both are checked where they are given, so that the stack points at the line.
 */
import { TidemillError } from '../base/errors.ts'
import { graphErrors } from './errors.ts'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const fieldPattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

/** Device names of Windows, also with an extension: a directory cannot have one of them. */
const deviceName = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i

/** Every property of `Object.prototype` and `prototype`: as a field they would read or write the wrong thing. */
const reservedFields = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype'])

/** Throws unless `name` may name a job, source, step or sink. `what` says which, e.g. `the sink`. */
export function checkName(name: unknown, what: string): asserts name is string {
  if (name === undefined || name === null || name === '') {
    throw new TidemillError(graphErrors.nameMissing, { message: what })
  }
  if (typeof name !== 'string') {
    throw new TidemillError(graphErrors.nameInvalid, {
      message: `${what} got a ${typeof name} as its name`,
    })
  }
  if (!namePattern.test(name)) {
    throw new TidemillError(graphErrors.nameInvalid, {
      message: `${what} is called ${quote(name)}`,
    })
  }
  if (deviceName.test(name) || name.endsWith('.')) {
    throw new TidemillError(graphErrors.nameReserved, {
      message: `${what} is called ${quote(name)}, which is no directory name on Windows`,
    })
  }
}

/** Throws unless `name` may name a state, timer, output or aggregate of the step `owner`. */
export function checkFieldName(
  name: string,
  what: 'state' | 'timer' | 'output' | 'aggregate',
  owner: string,
  taken: readonly string[] = [],
): void {
  if (!fieldPattern.test(name)) {
    throw new TidemillError(graphErrors.fieldNameInvalid, {
      message: `${what} ${quote(name)} of ${quote(owner)}`,
      details: { operator: owner },
    })
  }
  if (reservedFields.has(name) || taken.includes(name)) {
    const why = taken.includes(name) ? ', which the step itself uses' : ''
    throw new TidemillError(graphErrors.nameReserved, {
      message: `${what} ${quote(name)} of ${quote(owner)}${why}`,
      details: { operator: owner },
    })
  }
}

/** Names that are equal on a file system without upper and lower case have equal folds. */
export function foldName(name: string): string {
  return name.toLowerCase()
}

/** A name inside a message: as JSON, so that blanks and control characters show, and not longer than 80. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name)
}
