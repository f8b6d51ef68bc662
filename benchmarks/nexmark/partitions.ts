/** JSON lines of a data set as several files with the same rows: pieces of the file, cut at ends of lines, in turn. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** About 250 lines: partitions stay within a few milliseconds of event time of each other. */
const BYTES_PER_PIECE = 1 << 16

export function dealtFiles(path: string, count: number, folder: string): readonly string[] {
  const paths = Array.from({ length: count }, (_, part) => join(folder, `part-${part}.jsonl`))
  const files = paths.map((part) => openSync(part, 'w'))
  const from = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(BYTES_PER_PIECE)
    let kept = 0 // of a line that goes on
    for (let turn = 0; ; turn++) {
      const read = readSync(from, bytes, kept, BYTES_PER_PIECE - kept, null)
      const length = kept + read
      const end = read === 0 ? length : bytes.lastIndexOf(10, length - 1) + 1
      const file = files[turn % count]!
      for (let at = 0; at < end; ) at += writeSync(file, bytes, at, end - at)
      bytes.copyWithin(0, end, length)
      kept = length - end
      if (read === 0) return paths
    }
  } finally {
    for (const file of [from, ...files]) closeSync(file)
  }
}
