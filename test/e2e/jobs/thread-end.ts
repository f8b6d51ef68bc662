/**
 * Ends one worker thread of a process at a moment: `THREAD_END` is `what@thread@milliseconds after loading`. Threads
 * count from 1 over all lives of a process, so it happens once.
 */
import { threadId } from 'node:worker_threads'

export function endThreadWhenTold(): void {
  const [what = '', thread = '', afterMs = ''] = (process.env['THREAD_END'] ?? '').split('@')
  if (Number(thread) === threadId) {
    setTimeout(() => {
      if (what === 'exit') process.exit(3)
      if (what === 'throw') throw new Error('thrown where nobody catches')
      const kept: object[] = []
      for (;;) kept.push(new Array(100_000).fill(kept.length))
    }, Number(afterMs))
  }
}
