/** The four numbers people ask for, out of a ledger. */
import type { Ledger } from '../checkpoint/ledger.ts'
import type { RecordCounts } from '../graph/executor.ts'

/** What became of all records, from the ledger of the job's whole life. */
export function recordsOf(ledger: Ledger): RecordCounts {
  const counts = { read: 0, written: 0, late: 0, rejected: 0 }
  for (const source of ledger.sources) {
    counts.read += source.read
    counts.rejected += source.rejected + source.skipped + source.deadLettered
  }
  for (const operator of ledger.operators) {
    counts.late += operator.late
    counts.rejected += operator.rejected + operator.skipped + operator.deadLettered
  }
  for (const sink of ledger.sinks) counts.written += sink.published
  return counts
}
