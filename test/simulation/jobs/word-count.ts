/** Stateless steps and a running count, from a text file to a result file. */
import { fileSink } from '../../../src/connectors/file-sink/file-sink.ts'
import { lines } from '../../../src/connectors/file/lines.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import { compareLines, type JobMaker, paced, words } from './support.ts'

export const wordCount: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  const text = Array.from({ length: sizes.records }, () => {
    const count = random.u32() % 4
    return Array.from(
      { length: count },
      () => words[random.u32() % Math.min(words.length, sizes.keys)]!,
    ).join(' ')
  })
  const counts = new Map<string, number>()
  const expected: string[] = []
  for (const line of text) {
    for (const word of line.split(' ')) {
      if (word === '') continue
      const count = (counts.get(word) ?? 0) + 1
      counts.set(word, count)
      expected.push(JSON.stringify({ key: word, count }))
    }
  }
  return {
    name: 'word-count',
    files: { '/in/book.txt': text.map((line) => `${line}\n`).join('') },
    outputs: [{ sink: 'counts', directory: '/out/counts', extension: '.jsonl' }],
    intervalMs,
    plan() {
      const app = pipelineOn(undefined)('word-count')
      const source = lines('/in/book.txt', {
        chunkBytes: sizes.segmentBytes,
        batchRowsMax: sizes.bufferRecords,
      })
      app
        .from('book', paced(source, paceMs))
        .flatMap((line) => line.split(' '))
        .filter((word) => word !== '')
        .keyBy((word) => word)
        .count('words')
        .to('counts', fileSink({ directory: '/out', rollBytes: sizes.segmentBytes }))
      return app.plan()
    },
    check: ({ outputs, ledger }) =>
      compareLines('counts', outputs, expected) ??
      (ledger.sources[0]?.read === text.length
        ? undefined
        : {
            oracle: 'O13',
            title: 'the ledger is wrong',
            message: `read ${ledger.sources[0]?.read} of ${text.length}`,
          }),
  }
}
