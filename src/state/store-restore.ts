/** Reads blocks into a store: matches what is stored with what is declared, then records one by one. */
import { TidemillError } from '../base/errors.ts'
import { Reader } from '../schema/bytes.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import {
  type Header,
  readDeadlines,
  readEnd,
  readHeader,
  readKey,
  readKeys,
  record,
  section,
  type StoredState,
  valueSchemaOf,
} from './block-format.ts'
import type { LiteralTable, Shard } from './column.ts'
import { damagedState, whileReading } from './complaints.ts'
import type { SnapshotBlock } from './contract.ts'
import { stateErrors } from './errors.ts'
import { literalTable } from './fixed-column.ts'
import { fixedLayout } from './fixed-layout.ts'
import type { KeyedStoreOptions } from './keyed-store-contract.ts'

/** What the store does for the reader. */
export interface RestoreTarget {
  slotOf(shard: Shard, key: Key): number
  setTimer(shard: Shard, slot: number, timer: number, at: number): void
  freeIfEmpty(shard: Shard, slot: number): void
}

interface Match {
  /** Stored states in stored order: the column that reads them, -1 when they are dropped. */
  readonly states: readonly {
    readonly column: number
    readonly withTtl: boolean
    readonly table: LiteralTable | undefined
  }[]
  /** Declared timer by stored timer, -1 when it is dropped. */
  readonly timers: readonly number[]
}

export class BlockRestore {
  private readonly options: KeyedStoreOptions
  private readonly declared: Header
  /** Declared state by stored name. */
  private readonly byName: Map<string, number> = new Map()

  constructor(options: KeyedStoreOptions, declared: Header) {
    this.options = options
    this.declared = declared
    declared.states.forEach((state, index) => {
      this.claim(state.name, index)
    })
    declared.states.forEach((state, index) => {
      const { was } = options.states[state.name]!.options
      if (was !== undefined) this.claim(was, index)
    })
  }

  read(block: SnapshotBlock, shard: Shard, target: RestoreTarget): void {
    const { operator } = this.options
    if (block.section !== section)
      throw damagedState(operator, `section "${block.section}" is not one of keyed state`)
    whileReading(operator, `key group ${block.keyGroup}`, () => {
      const reader = new Reader(block.bytes)
      const match = this.match(readHeader(reader, (message) => damagedState(operator, message)))
      while (reader.remaining > 0) {
        const tag = reader.u8()
        if (tag === record.page) this.readPage(reader, match, shard, target)
        else if (tag === record.part) this.readPart(reader, match, shard, target)
        else throw damagedState(operator, `${tag} is not the tag of a record`)
      }
    })
  }

  private readPage(reader: Reader, match: Match, shard: Shard, target: RestoreTarget): void {
    const keys = readKeys(reader, (message) => damagedState(this.options.operator, message))
    const slots = new Int32Array(keys.length)
    for (let i = 0; i < keys.length; i++) slots[i] = this.slotOf(keys[i]!, shard, target)
    for (const { column, withTtl, table } of match.states) {
      this.inSection(reader, column, () =>
        shard.columns[column]!.read(reader, slots, withTtl, table),
      )
    }
    for (const timer of match.timers) {
      readDeadlines(reader, slots.length, (row, at) => {
        if (!Number.isFinite(at))
          throw damagedState(this.options.operator, `a timer is due at ${at}`)
        if (timer >= 0) target.setTimer(shard, slots[row]!, timer, at)
      })
    }
    for (const slot of slots) target.freeIfEmpty(shard, slot)
  }

  private readPart(reader: Reader, match: Match, shard: Shard, target: RestoreTarget): void {
    const slot = this.slotOf(readKey(reader), shard, target)
    const state = match.states[reader.varint()]
    if (state === undefined)
      throw damagedState(this.options.operator, 'a part is of a state that the block does not name')
    this.inSection(reader, state.column, () =>
      shard.columns[state.column]!.readPart(reader, slot, state.withTtl),
    )
    target.freeIfEmpty(shard, slot)
  }

  /** Reads one state's section, or skips it when the state is dropped. */
  private inSection(reader: Reader, column: number, read: () => void): void {
    const end = readEnd(reader, (message) => damagedState(this.options.operator, message))
    if (column < 0) reader.skip(end - reader.position)
    else read()
    if (reader.position !== end)
      throw damagedState(
        this.options.operator,
        'the values of a state do not end where they should',
      )
  }

  private slotOf(key: Key, shard: Shard, target: RestoreTarget): number {
    const group = keyGroupOf(keyHash(key), this.options.range.total)
    if (group !== shard.group)
      throw damagedState(
        this.options.operator,
        `a key of group ${group} lies in group ${shard.group}`,
      )
    return target.slotOf(shard, key)
  }

  /** TM1402 and TM1403. */
  private match(stored: Header): Match {
    const seen = new Set<number>()
    const states = stored.states.map((state) => {
      const column = this.byName.get(state.name)
      if (column === undefined && this.options.drop?.includes(state.name)) {
        return { column: -1, withTtl: false, table: undefined }
      }
      if (column === undefined || seen.has(column)) throw this.undeclared('state', state.name)
      seen.add(column)
      return { column, withTtl: state.withTtl, table: this.compare(state, column) }
    })
    const timers = stored.timers.map(({ name, kind }) => {
      const index = this.declared.timers.findIndex((timer) => timer.name === name)
      if (index < 0) {
        if (this.options.drop?.includes(name)) return -1
        throw this.undeclared('timer', name)
      }
      const declared = this.declared.timers[index]!.kind
      if (declared !== kind)
        throw this.other('timer', name, `it is stored as ${kind} and declared as ${declared}`)
      return index
    })
    return { states, timers }
  }

  private compare(stored: StoredState, column: number): LiteralTable | undefined {
    const declared = this.declared.states[column]!
    if (stored.kind !== declared.kind) {
      throw this.other(
        'state',
        stored.name,
        `it is stored as ${stored.kind} and declared as ${declared.kind}`,
      )
    }
    if (stored.hash !== declared.hash) {
      throw this.other(
        'state',
        stored.name,
        `its schema was ${stored.hash} and is ${declared.hash}`,
      )
    }
    if (!stored.fixed) return undefined
    const layout = fixedLayout(valueSchemaOf(this.options.states[declared.name]!).type)
    const table = layout === undefined ? undefined : literalTable(layout, stored.literals)
    if (typeof table === 'string')
      throw this.other('state', stored.name, `"${table}" is not one of its literals any more`)
    return table
  }

  private claim(name: string, index: number): void {
    const other = this.byName.get(name)
    if (other === index) return
    if (other !== undefined) {
      throw new TidemillError(stateErrors.badDeclaration, {
        message: `two states claim the name "${name}"`,
        details: { operator: this.options.operator },
      })
    }
    this.byName.set(name, index)
  }

  private undeclared(what: string, name: string): TidemillError {
    return new TidemillError(stateErrors.undeclared, {
      message: `${what} "${name}" of "${this.options.operator}"`,
      details: { operator: this.options.operator, [what]: name },
    })
  }

  private other(what: string, name: string, message: string): TidemillError {
    return new TidemillError(stateErrors.otherDeclaration, {
      message: `${what} "${name}": ${message}`,
      details: { operator: this.options.operator, [what]: name },
    })
  }
}
