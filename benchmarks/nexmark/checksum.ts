/**
 * The sink of speed runs: counts rows and reads every output column, so that no system can skip the
 * work of making it. Numbers and string lengths are summed modulo 2^32, which makes the value
 * independent of the order of rows: two systems with the same result rows have the same count and
 * the same value.
 */
export class Checksum {
  rows: number = 0
  value: number = 0

  /** An integer column. */
  number(column: number): void {
    this.value = (this.value + (column | 0)) | 0
  }

  /** A text column. */
  string(column: string): void {
    this.value = (this.value + column.length) | 0
  }

  /** Ends a row, after its columns. */
  row(): void {
    this.rows++
  }
}
