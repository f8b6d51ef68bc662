/** The sink of records that a job set aside. */
import { TidemillError } from '../base/errors.ts'
import type { Letter } from '../graph/letters.ts'
import type { Sink, SinkContext } from './contract.ts'
import { printLetter } from './dead-letters/letter-form.ts'
import { connectorErrors } from './errors.ts'
import { safeName } from './file-sink/names.ts'
import { openTextOutput } from './file-sink/text-output.ts'

export interface DeadLettersOptions {
  /** Letters go to the directory of the sink's name below this one. Default: `dead-letters` in the state directory. */
  readonly directory?: string
}

/**
 * Keeps late and rejected records for people: JSON lines with place, operator, reason, attempt and the record as it came
 * (text, base64 of bytes, or the row). Written in the same epoch as everything else, so each is there exactly once.
 * `tidemill dead list` shows them, `tidemill dead replay` hands them over again.
 *
 * @example
 * input.rejected.to('orders-dead', deadLetters())
 *
 * @since 0.1.0
 * @stability experimental
 */
export function deadLetters(options: DeadLettersOptions = {}): Sink<Letter> {
  const { directory } = options
  return Object.freeze<Sink<Letter>>({
    role: 'sink',
    connector: 'deadLetters',
    describe: Object.freeze(directory === undefined ? {} : { directory }),
    guarantee: 'transactional',
    acceptsViews: true,
    open: (context) =>
      openTextOutput<Letter>(context, {
        directory: deadLetterDirectory(context, directory),
        extension: 'jsonl',
        print: (letter, timestampMs, out) =>
          out.text(printLetter(letter, timestampMs, context.env.clock.wallMs())),
        rollBytes: 1 << 26,
      }),
  })
}

/** TM1741 without any directory. */
function deadLetterDirectory(context: SinkContext, directory: string | undefined): string {
  const name = safeName(context.name, 'sink')
  if (directory !== undefined) return `${directory.replace(/(?!^)\/+$/, '')}/${name}`
  if (context.stateDirectory === undefined) {
    throw new TidemillError(connectorErrors.deadLettersNowhere, {
      details: { operator: context.name },
    })
  }
  return `${context.stateDirectory}/dead-letters/${name}`
}
