/** What the simulator needs from its host: one macrotask turn, and silence about the promises of dead lives. */

const nextTurn = setImmediate

/** Resolves when every microtask that is queued now, and all that those queue in turn, has run. */
export function hostTurn(): Promise<void> {
  return new Promise(resolveOnTurn)
}

function resolveOnTurn(resolve: () => void): void {
  nextTurn(resolve)
}

const ignored: ((reason: unknown) => boolean)[] = []

/**
 * Rejections for which `matches` holds are not reported as unhandled. A simulated process that crashed leaves promises
 * behind that nobody will ever await; a real one takes them with it.
 */
export function ignoreRejections(matches: (reason: unknown) => boolean): void {
  if (ignored.length === 0) {
    const emit = process.emit as (...args: unknown[]) => boolean
    // An `unhandledRejection` listener cannot hide one reason from the others, so the event stops here.
    process.emit = function filtered(this: NodeJS.Process, ...args: unknown[]): boolean {
      if (args[0] === 'unhandledRejection' && ignored.some((test) => test(args[1]))) return true
      return emit.apply(this, args)
    } as typeof process.emit
  }
  ignored.push(matches)
}
