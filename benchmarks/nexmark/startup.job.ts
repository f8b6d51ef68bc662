/** q1 on the JSON lines file of D2, for `bin/tidemill.js`: how long until the first result? */
import { jsonLines, param, pipeline, stdout } from 'tidemill'
import { q1 } from './queries/stateless.ts'
import { nexmarkEvent } from './schema.ts'

const app = pipeline('nexmark-startup')
q1(app.from('events', jsonLines(param('input'), nexmarkEvent))).to('results', stdout())
await app.run()
