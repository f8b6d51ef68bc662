/**
 * How often does each word occur? The smallest complete job: a bounded input, state per key, results exactly once.
 *
 *     npx tidemill run examples/word-count/job.ts --param input=book.txt --param output=out --state state
 */
import { fileSink, files, lines, param, pipeline } from 'tidemill'

const app = pipeline('word-count')

app
  .from('book', lines(files(param('input', 'examples/word-count/sample.txt'))))
  .flatMap((line) => line.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
  .keyBy((word) => word)
  .count('words')
  .map(({ key, count }) => ({ word: key, count }))
  .to('counts', fileSink({ directory: param('output', '.tidemill/output/word-count') }))

await app.run()
