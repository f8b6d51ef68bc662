/**
 * Stretches of a drive without usable signal.
 *
 * Measurements come a little out of order, so each waits until the watermark says that nothing earlier will follow:
 *
 *   onRecord ─▶ `waiting`, by time ─▶ timer `settled` ─▶ the open hole begins, grows or ends
 *                                                          └▶ timer `quiet`, when no measurement follows in time
 *
 * What the watermark has passed is late: the hole it belongs to may have been reported.
 */
import {
  field,
  float,
  int,
  list,
  seconds,
  sortedMapState,
  type Stream,
  struct,
  text,
  timestamp,
  type TypeOf,
  valueState,
} from 'tidemill'
import type { Measurement } from './measurement.ts'

const weakestUsableDbm = -110
const shortestMs = seconds(10)
/** A hole ends when the next measurement is further away than this. */
const gapMsMax = seconds(5)

const hole = struct('hole', {
  trace: field(1, text),
  from: field(2, int),
  to: field(3, int),
  samples: field(4, int),
  worstRsrp: field(5, float),
})

type Hole = TypeOf<typeof hole>

const lateMeasurement = struct('late-measurement', {
  file: field(1, text),
  line: field(2, int),
  raw: field(3, text),
  lateByMs: field(4, int),
})

/** The coverage holes of each trace, and the measurements that came too late to be part of one. */
export function coverageHoles(measured: Stream<Measurement, 'event-time'>) {
  return measured
    .filter((row) => row.rsrp !== undefined)
    .keyBy((row) => row.trace)
    .process('coverage-hole', {
      state: { waiting: sortedMapState(int, list(float)), open: valueState(hole) },
      timers: { settled: 'event-time', quiet: 'event-time' },
      output: { holes: hole, tooLate: lateMeasurement },
      onRecord({ at, rsrp = 0, file, line, raw }, ctx) {
        if (at <= ctx.watermark) {
          ctx.emit('tooLate', { file, line, raw, lateByMs: ctx.watermark - at })
          return
        }
        const { waiting } = ctx.state
        waiting.set(at, [...(waiting.get(at) ?? []), rsrp])
        ctx.timers.settled.setAt(timestamp(waiting.first()?.[0] ?? at))
      },
      onTimer: {
        settled(ctx) {
          const { waiting } = ctx.state
          const at = ctx.timestamp
          for (const rsrp of waiting.get(at) ?? []) {
            const open = ctx.state.open.get()
            const isWeak = rsrp < weakestUsableDbm
            const goesOn = open !== undefined && isWeak && at - open.to <= gapMsMax
            if (open !== undefined && !goesOn) report(ctx, open)
            if (isWeak) {
              ctx.state.open.set(goesOn ? grown(open, at, rsrp) : begun(ctx.key, at, rsrp))
              ctx.timers.quiet.setAt(timestamp(at + gapMsMax + 1))
            } else {
              ctx.state.open.clear()
              ctx.timers.quiet.clear()
            }
          }
          waiting.delete(at)
          const next = waiting.first()
          if (next !== undefined) ctx.timers.settled.setAt(timestamp(next[0]))
        },
        quiet(ctx) {
          const open = ctx.state.open.get()
          if (open !== undefined) report(ctx, open)
          ctx.state.open.clear()
        },
      },
    })
}

function begun(trace: string, at: number, rsrp: number): Hole {
  return { trace, from: at, to: at, samples: 1, worstRsrp: rsrp }
}

function grown({ trace, from, samples, worstRsrp }: Hole, at: number, rsrp: number): Hole {
  return { trace, from, to: at, samples: samples + 1, worstRsrp: Math.min(worstRsrp, rsrp) }
}

function report(ctx: { emit(output: 'holes', row: Hole): void }, open: Hole): void {
  if (open.to - open.from >= shortestMs) ctx.emit('holes', open)
}
