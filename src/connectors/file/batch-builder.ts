/** Collects the rows and refusals of one batch of a text file, with the line of each. */
import { isTidemillError, type ErrorDefinition } from '../../base/errors.ts'
import type { RejectedInput, RowBatch } from '../contract.ts'
import { connectorErrors } from '../errors.ts'

export class BatchBuilder<Out> {
  readonly file: string
  rows: Out[] = []
  readonly rejected: RejectedInput[] = []
  // Rows from `starts[k]` on lie on consecutive lines from `lines[k]` on; most batches have one such run.
  readonly #starts: number[] = []
  readonly #lines: number[] = []
  #nextLine = -1

  constructor(file: string) {
    this.file = file
  }

  row(row: Out, line: number): void {
    if (line !== this.#nextLine) this.#begin(line)
    this.#nextLine = line + 1
    this.rows.push(row)
  }

  /** Rows on consecutive lines; takes the array over when it can. */
  consecutive(rows: Out[], line: number): void {
    if (line !== this.#nextLine) this.#begin(line)
    this.#nextLine = line + rows.length
    if (this.rows.length === 0) this.rows = rows
    else for (let i = 0; i < rows.length; i++) this.rows.push(rows[i]!)
  }

  reject(
    raw: string | Uint8Array,
    line: number,
    definition: ErrorDefinition,
    detail: string,
  ): void {
    this.#push(raw, line, definition.code, `${definition.title}: ${detail}`)
  }

  /** Refuses with what a decoder threw. */
  rejectWith(raw: string | Uint8Array, line: number, error: unknown): void {
    if (isTidemillError(error)) this.#push(raw, line, error.code, error.message)
    else
      this.reject(
        raw,
        line,
        connectorErrors.recordRefused,
        error instanceof Error ? error.message : String(error),
      )
  }

  /** The line of a row. */
  lineOf(index: number): number {
    let k = this.#starts.length - 1
    while (k > 0 && this.#starts[k]! > index) k--
    return (this.#lines[k] ?? 0) + index - (this.#starts[k] ?? 0)
  }

  batch(): RowBatch<Out> {
    return {
      kind: 'rows',
      rows: this.rows,
      rejected: this.rejected,
      locate: (index) => `${this.file}:${this.lineOf(index)}`,
    }
  }

  #begin(line: number): void {
    this.#starts.push(this.rows.length)
    this.#lines.push(line)
  }

  #push(raw: string | Uint8Array, line: number, code: string, message: string): void {
    this.rejected.push({
      raw,
      source: this.file,
      position: line,
      error: { code, message },
      beforeRow: this.rows.length,
    })
  }
}
