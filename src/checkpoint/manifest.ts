/**
 * The job manifest: the file whose publication commits an epoch. It says everything a restore needs besides the data
 * objects that it names: positions, watermarks, prepared sink output, plan, schemas, parameters, ledger.
 *
 *   0  magic "TMMF"      8  generation     24  length of the content
 *   4  version           16 epoch          28  CRC-32 of bytes 0-27 and of the content
 *   6  zero              32 content: canonical JSON, see `docs/formats/snapshot.md`
 *
 * Equal manifests are equal bytes. Bytes and the file's name must agree on generation and epoch, so a file that was
 * renamed or swapped does not verify.
 */
import { crc32 } from '../base/crc32.ts'
import { type ErrorDetails, TidemillError } from '../base/errors.ts'
import { decodeText, encodeText, getCount, setCount, viewOf } from './bytes.ts'
import type { ObjectRef } from './data-writer.ts'
import { checkpointErrors } from './errors.ts'
import { canonicalJson, Field, FieldError } from './json-fields.ts'
import { type Ledger, ledgerCounts, ledgerParts } from './ledger.ts'
import { compareText } from './order.ts'
import { compareSnapshotIds, parseName, type SnapshotId } from './names.ts'

/** Version 2 has objects that build on others; without any, version 1 is written. */
export const manifestFormatVersion = 2

const magic = 0x464d4d54 // "TMMF"
const headerBytes = 32

export const snapshotKinds = ['checkpoint', 'savepoint', 'final'] as const

/** Why a snapshot was taken. `final`: on stop, or at the end of a bounded input. */
export type SnapshotKind = (typeof snapshotKinds)[number]

export interface Manifest extends SnapshotId {
  readonly job: string
  readonly kind: SnapshotKind
  /** The input was bounded and is used up: there is nothing to continue. */
  readonly finished: boolean
  readonly plan: StoredPlan
  readonly parameters: Readonly<Record<string, string>>
  readonly maxParallelism: number
  readonly parallelism: number
  /** One per subtask, in their order. */
  readonly subtasks: readonly SubtaskSnapshot[]
  readonly schemas: readonly StoredSchema[]
  readonly ledger: {
    /** Since the job's state was born. */
    readonly total: Ledger
    /** Since the epoch before. */
    readonly epoch: Ledger
  }
  /** Wall clock, for people. */
  readonly createdMs: number
  readonly bootId: string
  /** Of Tidemill and of what else the writer wants to be known by. */
  readonly versions: Readonly<Record<string, string>>
}

export interface StoredPlan {
  readonly fingerprint: string
  /** The plan's JSON form as text. */
  readonly json: string
}

export interface StoredSchema {
  /** What it describes, e.g. `totals.values`. */
  readonly name: string
  readonly hash: string
  /** The schema's structure as JSON text. */
  readonly json: string
}

/** What one subtask puts into a snapshot. Plain data: it crosses threads by structured clone. */
export interface SubtaskSnapshot {
  readonly subtask: number
  /** Absent when the subtask holds no state. */
  readonly object: ObjectRef | undefined
  /** Objects of earlier epochs whose state `object` has the changes of, the oldest first. Absent when there are none. */
  readonly bases?: readonly BaseObject[] | undefined
  readonly positions: readonly SourcePosition[]
  readonly watermarks: readonly StoredWatermark[]
  readonly sinks: readonly SinkPreparation[]
  /** State of the random generators of user code, opaque here. */
  readonly random: Uint8Array
  /**
   * Where each channel to the subtask stood. In every subtask when a stage of some subtask was cut before all barriers had
   * come to it, so that rows are in flight; otherwise absent.
   */
  readonly channels?: readonly StoredChannel[] | undefined
}

/** An object of an earlier epoch: its blocks of these operators belong to the snapshot, and no others. */
export interface BaseObject extends ObjectRef {
  readonly operators: readonly string[]
}

/** Where the receiver of a channel stood when its stage was cut. */
export interface StoredChannel {
  readonly exchange: number
  /** The sending subtask. */
  readonly from: number
  /** So many subtasks, the first ones, got rows by the exchange. */
  readonly owners: number
  /** Something had come. */
  readonly heard: boolean
  readonly state: ChannelState
  /** Of the sender, as the receiver had heard it; the beginning of time where rows have none. */
  readonly watermarkMs: number
  /** Event time of the receiver behind the exchange. */
  readonly eventTimeMs: number
}

export const channelStates = ['active', 'idle', 'ended'] as const

/** Who is not active holds nobody's event time back. */
export type ChannelState = (typeof channelStates)[number]

/** Rows are in flight: to go on from it takes a life with as many subtasks, in which they arrive. */
export function hasRowsInFlight({ subtasks }: Pick<Manifest, 'subtasks'>): boolean {
  return subtasks.some(({ channels }) => channels !== undefined)
}

export interface SourcePosition {
  readonly source: string
  readonly partition: string
  readonly position: Uint8Array
}

export interface StoredWatermark {
  /** Id of the event-time node in the plan. */
  readonly node: number
  readonly partition: string
  readonly watermarkMs: number
}

/**
 * Output that is durable and waits for the commit. The epoch is that of the sink's `prepare`: earlier than the
 * manifest's when the attempt of that epoch failed, because its output belongs to the next epoch that succeeds.
 */
export interface SinkPreparation {
  readonly sink: string
  readonly epoch: number
  readonly prepared: Uint8Array
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const content = encodeText(canonicalJson(toStored(manifest)))
  const bytes = new Uint8Array(headerBytes + content.length)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  const builds = manifest.subtasks.some(({ bases = [] }) => bases.length > 0)
  view.setUint16(4, builds ? manifestFormatVersion : 1, true)
  setCount(view, 8, manifest.generation)
  setCount(view, 16, manifest.epoch)
  view.setUint32(24, content.length, true)
  bytes.set(content, headerBytes)
  view.setUint32(28, crc32(content, crc32(bytes.subarray(0, 28))), true)
  return bytes
}

/** Rejects anything but the manifest of this id: TM1501, or TM1504 for a newer format. `file` is for messages. */
export function decodeManifest(bytes: Uint8Array, id: SnapshotId, file: string): Manifest {
  if (bytes.length < headerBytes)
    throw corrupt(file, bytes.length, 'the file ends inside its header')
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== magic) throw corrupt(file, 0, 'it does not begin with "TMMF"')
  const version = view.getUint16(4, true)
  if (version > manifestFormatVersion) {
    throw new TidemillError(checkpointErrors.formatUnknown, {
      message: `${file} has manifest format ${version}, this version reads up to ${manifestFormatVersion}`,
      details: { file, found: version, supported: manifestFormatVersion },
    })
  }
  const length = view.getUint32(24, true)
  if (length !== bytes.length - headerBytes) {
    throw corrupt(
      file,
      24,
      `the content has ${bytes.length - headerBytes} bytes, its header says ${length}`,
    )
  }
  const content = bytes.subarray(headerBytes)
  const expected = view.getUint32(28, true)
  const found = crc32(content, crc32(bytes.subarray(0, 28)))
  if (found !== expected) {
    const details = { expected: expected.toString(16), found: found.toString(16) }
    throw corrupt(file, headerBytes, 'the checksum differs', details)
  }
  if (version === 0) throw corrupt(file, 4, `there is no format ${version}`)
  const written = { generation: getCount(view, 8), epoch: getCount(view, 16) }
  if (written.generation !== id.generation || written.epoch !== id.epoch) {
    const name = `generation ${written.generation}, epoch ${written.epoch}`
    throw corrupt(file, 8, `the file was written as ${name}`)
  }
  return parseContent(content, id, file)
}

function parseContent(content: Uint8Array, id: SnapshotId, file: string): Manifest {
  try {
    return fromStored(new Field(JSON.parse(decodeText(content)), ''), id)
  } catch (error) {
    if (error instanceof FieldError || error instanceof SyntaxError || error instanceof TypeError) {
      throw corrupt(file, headerBytes, error.message, {}, error)
    }
    throw error
  }
}

/** The stored structure: every list that stands for a set or a map is sorted, so that bytes are canonical. */
function toStored(manifest: Manifest): unknown {
  const { generation: _, epoch: __, ...rest } = manifest
  return {
    ...rest,
    parameters: pairs(manifest.parameters),
    versions: pairs(manifest.versions),
    schemas: [...manifest.schemas].sort((a, b) => compareText(a.name, b.name)),
    subtasks: [...manifest.subtasks].sort((a, b) => a.subtask - b.subtask).map(subtaskToStored),
    ledger: {
      total: ledgerToStored(manifest.ledger.total),
      epoch: ledgerToStored(manifest.ledger.epoch),
    },
  }
}

function subtaskToStored(subtask: SubtaskSnapshot): unknown {
  return {
    subtask: subtask.subtask,
    object: subtask.object ?? null,
    ...(subtask.bases === undefined || subtask.bases.length === 0
      ? {}
      : {
          bases: subtask.bases.map(({ operators, ...ref }) => ({
            ...ref,
            operators: [...operators].sort(compareText),
          })),
        }),
    random: subtask.random,
    positions: [...subtask.positions].sort(
      (a, b) => compareText(a.source, b.source) || compareText(a.partition, b.partition),
    ),
    watermarks: [...subtask.watermarks].sort(
      (a, b) => a.node - b.node || compareText(a.partition, b.partition),
    ),
    sinks: [...subtask.sinks].sort((a, b) => compareText(a.sink, b.sink) || a.epoch - b.epoch),
    ...(subtask.channels === undefined
      ? {}
      : {
          channels: [...subtask.channels].sort(
            (a, b) => a.exchange - b.exchange || a.from - b.from,
          ),
        }),
  }
}

/** Each entry as `[name, count, count, ...]` in the order of `ledgerCounts`. */
function ledgerToStored(ledger: Ledger): unknown {
  return Object.fromEntries(
    ledgerParts.map((part) => {
      const entries = [...ledger[part]].sort((a, b) => compareText(a.name, b.name))
      return [
        part,
        entries.map((entry) => [
          entry.name,
          ...ledgerCounts(part).map((count) => numberOf(entry, count)),
        ]),
      ]
    }),
  )
}

function numberOf(entry: object, count: string): unknown {
  return Object.getOwnPropertyDescriptor(entry, count)?.value
}

function pairs(record: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(record).sort(([a], [b]) => compareText(a, b))
}

function fromStored(field: Field, id: SnapshotId): Manifest {
  const plan = field.get('plan')
  const ledger = field.get('ledger')
  return {
    generation: id.generation,
    epoch: id.epoch,
    job: field.get('job').text(),
    kind: field.get('kind').oneOf(snapshotKinds),
    finished: field.get('finished').flag(),
    plan: { fingerprint: plan.get('fingerprint').text(), json: plan.get('json').text() },
    parameters: recordOf(field.get('parameters')),
    maxParallelism: field.get('maxParallelism').count(1),
    parallelism: field.get('parallelism').count(1),
    subtasks: field.get('subtasks').list(subtaskFromStored),
    schemas: field.get('schemas').list((item) => ({
      name: item.get('name').text(),
      hash: item.get('hash').text(),
      json: item.get('json').text(),
    })),
    ledger: {
      total: ledgerFromStored(ledger.get('total')),
      epoch: ledgerFromStored(ledger.get('epoch')),
    },
    createdMs: field.get('createdMs').number(),
    bootId: field.get('bootId').text(),
    versions: recordOf(field.get('versions')),
  }
}

function subtaskFromStored(field: Field): SubtaskSnapshot {
  const object = field.get('object')
  const bases = field.get('bases')
  const channels = field.get('channels')
  return {
    subtask: field.get('subtask').count(),
    object: object.value === null ? undefined : refFromStored(object),
    ...(bases.value === undefined ? {} : { bases: basesFromStored(bases) }),
    positions: field.get('positions').list((item) => ({
      source: item.get('source').text(),
      partition: item.get('partition').text(),
      position: item.get('position').bytes(),
    })),
    watermarks: field.get('watermarks').list((item) => ({
      node: item.get('node').count(),
      partition: item.get('partition').text(),
      watermarkMs: item.get('watermarkMs').number(),
    })),
    sinks: field.get('sinks').list((item) => ({
      sink: item.get('sink').text(),
      epoch: item.get('epoch').count(),
      prepared: item.get('prepared').bytes(),
    })),
    random: field.get('random').bytes(),
    ...(channels.value === undefined ? {} : { channels: channels.list(channelFromStored) }),
  }
}

function refFromStored(object: Field): ObjectRef {
  return {
    name: object.get('name').text(),
    sizeBytes: object.get('sizeBytes').count(),
    crc32: object.get('crc32').count(),
  }
}

/** In any other order changes would be undone by what was before them. */
function basesFromStored(field: Field): readonly BaseObject[] {
  const bases = field.list(baseFromStored)
  const ids = bases.map(({ name }) => snapshotOfObject(name))
  if (ids.some((id, i) => i > 0 && compareSnapshotIds(ids[i - 1]!, id) >= 0))
    throw new FieldError(`${field.path}: the objects do not ascend`)
  return bases
}

function snapshotOfObject(name: string): SnapshotId {
  const parsed = parseName(name)
  if (parsed.kind !== 'data') throw new FieldError(`"${name}" is not the name of a data object`)
  return parsed.id
}

function baseFromStored(item: Field): BaseObject {
  return { ...refFromStored(item), operators: item.get('operators').list((name) => name.text()) }
}

function channelFromStored(item: Field): StoredChannel {
  return {
    exchange: item.get('exchange').count(),
    from: item.get('from').count(),
    owners: item.get('owners').count(1),
    heard: item.get('heard').flag(),
    state: item.get('state').oneOf(channelStates),
    watermarkMs: item.get('watermarkMs').number(),
    eventTimeMs: item.get('eventTimeMs').number(),
  }
}

function ledgerFromStored(field: Field): Ledger {
  const parts = ledgerParts.map((part) => {
    const counts = ledgerCounts(part)
    const entries = field.get(part).list((item) => {
      const cells = item.list((cell) => cell)
      if (cells.length !== counts.length + 1)
        throw new FieldError(`${item.path}: wrong number of counts`)
      const values = counts.map((count, index) => [count, cells[index + 1]!.integer()] as const)
      return { name: cells[0]!.text(), ...Object.fromEntries(values) }
    })
    return [part, entries] as const
  })
  // The loop above makes exactly the parts and counts that the shapes of a ledger list.
  return Object.fromEntries(parts) as unknown as Ledger
}

function recordOf(field: Field): Readonly<Record<string, string>> {
  return Object.fromEntries(
    field.list((item) => {
      const pair = item.list((cell) => cell.text())
      if (pair.length !== 2) throw new FieldError(`${item.path}: expected a name and a value`)
      return pair as unknown as readonly [string, string]
    }),
  )
}

function corrupt(
  file: string,
  offset: number,
  what: string,
  details: ErrorDetails = {},
  cause?: unknown,
): TidemillError {
  return new TidemillError(checkpointErrors.manifestCorrupt, {
    message: `${file}: ${what}`,
    details: { file, offset, ...details },
    ...(cause === undefined ? {} : { cause }),
  })
}
