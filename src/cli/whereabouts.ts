/**
 * What a thread that says nothing is doing: the step and the function of the user, read off its stack. A worker thread
 * answers from which step a frame is (`tellSteps`); the main thread asks and reads (`whereabouts`).
 */
import type { Plan, PlanNode } from '../graph/plan.ts'
import { describeNode } from '../graph/roles.ts'
import { stackOfThread, type ThreadFrame } from '../platform/node-thread-stack.ts'
import { isOfProgram, sourcePlace } from './source-places.ts'

const tellName = 'tidemill.step'
const tell = `globalThis[Symbol.for('${tellName}')]`

/** In generated code `at` is the step that runs, except where it is an index into accumulators. */
const askGenerated = `${tell}?.(typeof objectAt === 'number' ? 'adding' : typeof at === 'number' ? at : undefined, this)`
/** In other frames of the program `this` may be the operator of a step. */
const askOperator = `this === undefined ? undefined : ${tell}?.(undefined, this)`

type Tell = (at: unknown, self: unknown) => string | undefined

/** In a worker thread: makes it tell steps, however busy it is. */
export function tellSteps(plan: Plan, stepOf: (operator: unknown) => PlanNode | undefined): void {
  const adding = plan.nodes.filter(({ kind }) => kind === 'keyed-aggregate' || kind === 'window')
  const only = adding.length === 1 ? adding[0] : undefined
  const value: Tell = (at, self) => {
    const generated = at === 'adding' ? only : plan.nodes[Number(at ?? -1)]
    const node = generated ?? stepOf(self)
    return node && describeNode(node)
  }
  Object.defineProperty(globalThis, Symbol.for(tellName), { value, configurable: true })
}

/** Its step, its function, or both; `undefined` when neither can be told in this time. */
export async function whereabouts(threadId: number, waitMs: number): Promise<string | undefined> {
  const frames = await stackOfThread({ threadId, ask, waitMs })
  const step = frames?.find(({ answer }) => typeof answer === 'string')?.answer as
    | string
    | undefined
  const user = frames?.find(isOfUser)
  if (user === undefined) return step
  const place = sourcePlace(user.url, user.line, user.column)
  const named = user.functionName === '' ? place : `${user.functionName} (${place})`
  return step === undefined ? named : `${step}, in ${named}`
}

/** A function of the user may have a variable of that name too, so it is not asked. */
function ask(url: string): string | undefined {
  if (url === '') return askGenerated
  return isOfProgram(url) ? askOperator : undefined
}

function isOfUser({ url }: ThreadFrame): boolean {
  return url.startsWith('file:') && !isOfProgram(url)
}
