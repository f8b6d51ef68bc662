/** A query on JSON lines, with an exactly-once file sink: what `nexmark chaos` starts and kills. */
import { fileSink, jsonLines, param, pipeline, type Stream } from 'tidemill'
import { type EngineQuery, queries } from './queries.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'

// `as`: the command gives one of them, and rows of any query are plain objects.
const query = param('query') as EngineQuery
const build = queries[query] as (events: Stream<EventRow>) => Stream<object>

const app = pipeline(`nexmark-${query}`)
build(app.from('events', jsonLines(param('input').split(','), nexmarkEvent))).to(
  'results',
  fileSink({ directory: param('output') }),
)
await app.run()
