/** Turns what a program passes to `process` into the definition that the plan holds, and checks it. */
import { TidemillError } from '../base/errors.ts'
import { checkFieldName } from '../graph/names.ts'
import type {
  ProcessContext,
  ProcessDefinition,
  StateDefinition,
  TimerKind,
} from '../graph/process.ts'
import type { Codec, Schema } from '../schema/types.ts'
import { checkFunction, typeName, wrongArgument } from './arguments.ts'
import { streamErrors } from './errors.ts'
import type { StateDescriptor } from './process-types.ts'

/** `ProcessSpec` with its types forgotten; the compiler has checked the program's argument against the typed one. */
export interface UntypedProcessSpec {
  readonly state?: Readonly<Record<string, StateDescriptor<unknown>>> | undefined
  readonly timers?: Readonly<Record<string, TimerKind>> | undefined
  readonly output: Codec<unknown> | Readonly<Record<string, Codec<unknown>>>
  readonly was?: string | undefined
  readonly onError?: 'fail' | 'skip' | 'dead-letter' | undefined
  readonly onRecord: (row: unknown, context: ProcessContext) => void
  readonly onTimer?: Readonly<Record<string, (context: ProcessContext) => void>> | undefined
}

/** The definition of step `owner`. Throws TM1304 for names, TM1351 for arguments, TM1354 for timers without handler. */
export function processDefinition(owner: string, spec: UntypedProcessSpec): ProcessDefinition {
  if (typeof spec !== 'object' || spec === null) {
    throw wrongArgument(
      `process ${JSON.stringify(owner)} got ${typeName(spec)}, expected { state, output, onRecord, … }`,
    )
  }
  checkFunction(spec.onRecord, `onRecord of ${JSON.stringify(owner)}`)
  const timers = spec.timers ?? {}
  const onTimer = spec.onTimer ?? {}
  checkTimers(owner, timers, onTimer)
  const single = isCodec(spec.output)
  return {
    state: stateDefinitions(owner, spec.state ?? {}),
    timers: { ...timers },
    outputs: single ? undefined : outputNames(owner, spec.output),
    outputCodecs: single ? { out: spec.output } : { ...spec.output },
    onRecord: spec.onRecord,
    onTimer: { ...onTimer },
    onError: spec.onError,
  }
}

/** True for one codec, false for several by name. */
export function isCodec(output: UntypedProcessSpec['output']): output is Codec<unknown> {
  if (typeof output !== 'object' || output === null) return false
  const candidate: { readonly encode?: unknown; readonly decode?: unknown } = output
  return typeof candidate.encode === 'function' && typeof candidate.decode === 'function'
}

/** The schema that a codec is or wraps, or `undefined` for a codec that does not know the structure of its values. */
export function schemaOf(codec: Codec<unknown> | undefined): Schema<unknown> | undefined {
  const candidate = codec as (Partial<Schema<unknown>> & { readonly schema?: unknown }) | undefined
  if (isSchema(candidate)) return candidate
  return isSchema(candidate?.schema) ? candidate.schema : undefined
}

function isSchema(value: unknown): value is Schema<unknown> {
  const candidate = value as Partial<Schema<unknown>> | undefined
  return typeof candidate?.hash === 'string' && typeof candidate.type === 'object'
}

function stateDefinitions(
  owner: string,
  state: Readonly<Record<string, StateDescriptor<unknown>>>,
): Readonly<Record<string, StateDefinition>> {
  const definitions: [string, StateDefinition][] = []
  for (const [name, descriptor] of Object.entries(state)) {
    checkFieldName(name, 'state', owner, ['timers'])
    if (typeof descriptor?.definition?.kind !== 'string') {
      throw wrongArgument(
        `state ${JSON.stringify(name)} of ${JSON.stringify(owner)} is ${typeName(descriptor)}, expected valueState(…) or the like`,
      )
    }
    definitions.push([name, descriptor.definition])
  }
  return Object.fromEntries(definitions)
}

function outputNames(
  owner: string,
  outputs: Readonly<Record<string, Codec<unknown>>>,
): readonly string[] {
  if (typeof outputs !== 'object' || outputs === null || Object.keys(outputs).length === 0) {
    throw wrongArgument(
      `output of ${JSON.stringify(owner)} is ${typeName(outputs)}, expected a schema, or several by name`,
    )
  }
  for (const [name, codec] of Object.entries(outputs)) {
    checkFieldName(name, 'output', owner)
    if (!isCodec(codec)) {
      throw wrongArgument(
        `output ${JSON.stringify(name)} of ${JSON.stringify(owner)} is ${typeName(codec)}, expected a schema or codec`,
      )
    }
  }
  return Object.keys(outputs)
}

function checkTimers(
  owner: string,
  timers: Readonly<Record<string, TimerKind>>,
  onTimer: Readonly<Record<string, unknown>>,
): void {
  for (const [name, kind] of Object.entries(timers)) {
    checkFieldName(name, 'timer', owner)
    if (kind !== 'event-time' && kind !== 'processing-time') {
      throw wrongArgument(
        `timer ${JSON.stringify(name)} of ${JSON.stringify(owner)} follows ${JSON.stringify(kind)}, expected 'event-time' or 'processing-time'`,
      )
    }
    if (typeof onTimer[name] !== 'function') {
      throw mismatch(
        owner,
        `timer ${JSON.stringify(name)} of ${JSON.stringify(owner)} has no function in onTimer`,
      )
    }
  }
  for (const name of Object.keys(onTimer)) {
    if (!Object.hasOwn(timers, name)) {
      throw mismatch(
        owner,
        `onTimer of ${JSON.stringify(owner)} has ${JSON.stringify(name)}, which is no declared timer`,
      )
    }
  }
}

function mismatch(owner: string, message: string): TidemillError {
  return new TidemillError(streamErrors.timerHandler, { message, details: { operator: owner } })
}
