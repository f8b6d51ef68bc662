/** The plan of a harness: the tested steps between a source that the test feeds and a sink that the test empties. */
import { milliseconds, type Timestamp } from '../../base/time.ts'
import type { Sink, Source } from '../../connectors/contract.ts'
import type { Plan } from '../../graph/plan.ts'
import { pipelineOn } from '../../stream/pipeline.ts'
import type { TimeMode } from '../../stream/process-types.ts'
import type { Stream } from '../../stream/types.ts'

/** No record moves the watermark of timed input: only the test does. Chosen so that sums with times stay exact. */
const neverMs = 8.8e15

export type Build<In, Out> = (input: Stream<In>) => Stream<Out, TimeMode>
export type TimedBuild<In, Out> = (input: Stream<In, 'event-time'>) => Stream<Out, TimeMode>

export function harnessPlan<In, Out>(build: Build<In, Out>): Plan {
  const app = pipelineOn(undefined)('harness')
  build(app.from('input', inputSource<In>())).to('output', outputSink<Out>())
  return app.plan()
}

/** `timeOf` tells the event time of the record that is being sent. */
export function timedHarnessPlan<In, Out>(
  build: TimedBuild<In, Out>,
  timeOf: () => Timestamp,
): Plan {
  const app = pipelineOn(undefined)('harness')
  const time = { timestamp: () => timeOf(), maxOutOfOrderness: milliseconds(neverMs) }
  build(app.from('input', inputSource<In>()).withEventTime(time)).to('output', outputSink<Out>())
  return app.plan()
}

function inputSource<In>(): Source<In> {
  return {
    role: 'source',
    connector: 'harness',
    describe: {},
    schema: undefined,
    bounded: true,
    open: () => Promise.reject(new Error('the harness pushes its records')),
  }
}

function outputSink<Out>(): Sink<Out> {
  return {
    role: 'sink',
    connector: 'harness',
    describe: {},
    guarantee: 'at-least-once',
    acceptsViews: false,
    open: () => Promise.reject(new Error('the harness collects its rows')),
  }
}
