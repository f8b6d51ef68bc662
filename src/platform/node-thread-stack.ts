/**
 * Where a worker thread of this process is at this moment, although it answers nobody: the inspector interrupts its
 * code for the moment that reading a stack takes, and lets it go on.
 *
 * Nothing is read where that could do harm or is not possible: while somebody debugs the process (a thread that stands
 * at a breakpoint must stay there), in builds without an inspector, while no JavaScript runs in the thread.
 */
import type { Session } from 'node:inspector'

export interface ThreadFrame {
  /** Empty for functions without a name. */
  readonly functionName: string
  /** Empty for generated code. */
  readonly url: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** What the question asked of this frame gave; the first answer is the last question. */
  readonly answer: unknown
}

interface Question {
  readonly threadId: number
  /**
   * What to evaluate in frames of such a script, from the innermost, with their variables; it must have no effect. Costs
   * tens of milliseconds in a long script.
   */
  readonly ask: (url: string) => string | undefined
  /** The thread goes on without an answer after so long. */
  readonly waitMs: number
}

const framesMax = 40
/** The protocol of the inspector, as far as it is used. */
interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: {
    readonly callFrames?: readonly CallFrame[]
    readonly scriptId?: string
    readonly url?: string
  }
  readonly result?: {
    readonly result?: { readonly value?: unknown }
    readonly exceptionDetails?: unknown
  }
}
interface CallFrame {
  readonly callFrameId: string
  readonly functionName: string
  readonly location: {
    readonly scriptId: string
    readonly lineNumber: number
    readonly columnNumber?: number
  }
}

/** One at a time: two sessions would let go on what the other one reads. */
let busy: Promise<unknown> = Promise.resolve()

/** The stack, innermost frame first; `undefined` when it cannot be read. Never rejects. */
export async function stackOfThread(
  question: Question,
): Promise<readonly ThreadFrame[] | undefined> {
  const stack = busy.then(() => read(question)).catch(() => undefined)
  busy = stack
  return await stack
}

async function read({
  threadId,
  ask,
  waitMs,
}: Question): Promise<readonly ThreadFrame[] | undefined> {
  const inspector = await import('node:inspector')
  if (inspector.url() !== undefined) return undefined
  const session = new inspector.Session()
  session.connect()
  const thread = new InspectedThread(session, threadId)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined)
  })
  try {
    return await Promise.race([thread.stack(ask), late])
  } finally {
    clearTimeout(timer)
    thread.release()
    session.disconnect()
  }
}

class InspectedThread {
  readonly #session: Session
  readonly #paused: Promise<readonly CallFrame[]>
  readonly #waiting: Map<number, (message: Message) => void> = new Map()
  readonly #attached: Promise<void>
  /** By script: a frame tells its number only. */
  readonly #urls: Map<string, string> = new Map()
  #sessionId: string | undefined
  #sent = 0

  constructor(session: Session, threadId: number) {
    this.#session = session
    let attached: () => void = () => {}
    let paused: (frames: readonly CallFrame[]) => void = () => {}
    this.#attached = new Promise((resolve) => {
      attached = resolve
    })
    this.#paused = new Promise((resolve) => {
      paused = resolve
    })
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      // `workerId` counts what this session sees, in any order: only the title knows the thread.
      if (!params.workerInfo.title.startsWith(`[worker ${threadId}]`)) return
      this.#sessionId = params.sessionId
      attached()
    })
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      if (params.sessionId !== this.#sessionId) return
      const message: Message = JSON.parse(params.message)
      if (message.method === 'Debugger.paused') paused(message.params?.callFrames ?? [])
      else if (message.method === 'Debugger.scriptParsed')
        this.#urls.set(message.params?.scriptId ?? '', message.params?.url ?? '')
      else if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
    })
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  }

  async stack(ask: Question['ask']): Promise<readonly ThreadFrame[]> {
    await this.#attached
    await this.#call('Debugger.enable')
    await this.#call('Debugger.pause')
    const callFrames = await this.#paused
    const frames: ThreadFrame[] = []
    let answered = false
    for (const { callFrameId, functionName, location } of callFrames.slice(0, framesMax)) {
      const url = this.#urls.get(location.scriptId) ?? ''
      const expression: string | undefined = answered ? undefined : ask(url)
      const answer: unknown =
        expression === undefined ? undefined : await this.#evaluate(callFrameId, expression)
      answered ||= answer !== undefined
      const line = location.lineNumber + 1
      const column = (location.columnNumber ?? 0) + 1
      frames.push({ functionName, url, line, column, answer })
    }
    return frames
  }

  async #evaluate(callFrameId: string, expression: string): Promise<unknown> {
    const told = await this.#call('Debugger.evaluateOnCallFrame', {
      callFrameId,
      expression,
      silent: true,
      returnByValue: true,
    })
    // What was thrown is no answer.
    return told.result?.exceptionDetails === undefined ? told.result?.result?.value : undefined
  }

  /** The thread goes on, and a wish to interrupt it is forgotten. */
  release(): void {
    if (this.#sessionId !== undefined) void this.#call('Debugger.disable')
    this.#session.post('NodeWorker.disable')
  }

  #call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Message> {
    const id = ++this.#sent
    const answered = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    this.#session.post('NodeWorker.sendMessageToWorker', {
      sessionId: this.#sessionId ?? '',
      message: JSON.stringify({ id, method, params }),
    })
    return answered
  }
}
