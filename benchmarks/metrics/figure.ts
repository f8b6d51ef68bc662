/**
 * What every command here prints: first who measured what and where, then one figure a line with its goal. A figure
 * without a goal stands beside one that has it and holds nothing.
 */
import { loadavg } from 'node:os'
import { describeMachine, identity } from '../nexmark/provenance.ts'

export interface Figure {
  /** P1 to P16. */
  readonly metric: string
  readonly name: string
  readonly measured: number
  readonly unit: string
  readonly goal: string | null
  readonly holds: boolean | null
}

export interface Goal {
  readonly is: '<=' | '>='
  readonly limit: number
}

export const atMost = (limit: number): Goal => ({ is: '<=', limit })
export const atLeast = (limit: number): Goal => ({ is: '>=', limit })

/** `more` goes along: what the figure was computed from, and how far runs were apart. */
export function figure(
  metric: string,
  name: string,
  measured: number,
  unit: string,
  goal: Goal | undefined,
  more: object = {},
): Figure {
  const { is, limit } = goal ?? {}
  const holds = limit === undefined ? null : is === '<=' ? measured <= limit : measured >= limit
  return {
    metric,
    name,
    measured: round(measured),
    unit,
    goal: limit === undefined ? null : `${is} ${limit}`,
    holds,
    ...more,
  }
}

/** Prints figures as they come; `failed` says whether one of them missed its goal. */
export class Report {
  failed: boolean = false

  constructor(command: string, settings: object) {
    const machine = { ...describeMachine(), loadBefore: loadavg()[0] ?? 0 }
    console.log(JSON.stringify({ ...identity(new Date()), command, machine, settings }))
  }

  add(one: Figure): void {
    this.failed ||= one.holds === false
    console.log(JSON.stringify(one))
  }
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
