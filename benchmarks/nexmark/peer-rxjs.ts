/** The baseline `rxjs`: lines pushed by readline through the operators one would reach for. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { concat, defer, filter, lastValueFrom, map, mergeMap, Observable, tap } from 'rxjs'
import type { NexmarkEvent } from './event.ts'
import { HotAuctions, isBid, type Library } from './peer-steps.ts'

function linesOf(path: string): Observable<string> {
  return new Observable((subscriber) => {
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })
    lines.on('line', (line) => subscriber.next(line))
    lines.on('close', () => subscriber.complete())
    return () => lines.close()
  })
}

function eventsOf(path: string, seeOne: () => void): Observable<NexmarkEvent> {
  return linesOf(path).pipe(
    tap(seeOne),
    map((line): NexmarkEvent => JSON.parse(line)),
  )
}

export const rxjs: Library = {
  async stateless(path, { keep, make }, { take, seeOne }) {
    const rows = eventsOf(path, seeOne).pipe(filter(isBid), filter(keep), map(make), tap(take))
    await lastValueFrom(rows, { defaultValue: undefined })
  },

  async hotAuctions(path, { take, seeOne }) {
    const windows = new HotAuctions()
    const rows = concat(
      eventsOf(path, seeOne).pipe(mergeMap((event) => windows.add(event))),
      defer(() => windows.end()),
    ).pipe(tap(take))
    await lastValueFrom(rows, { defaultValue: undefined })
  },
}
