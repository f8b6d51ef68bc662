/** The baseline `streams`: Node's streams in object mode, one transform per step. */
import { createReadStream } from 'node:fs'
import { Transform, type TransformCallback, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { NexmarkEvent } from './event.ts'
import { HotAuctions, isBid, type Library } from './peer-steps.ts'

/** One object in, any number out. */
function step<In, Out>(
  each: (item: In, push: (out: Out) => void) => void,
  end: (push: (out: Out) => void) => void = () => {},
): Transform {
  return new Transform({
    objectMode: true,
    transform(this: Transform, item: In, _encoding: BufferEncoding, done: TransformCallback): void {
      each(item, (out) => this.push(out))
      done()
    },
    flush(this: Transform, done: TransformCallback): void {
      end((out) => this.push(out))
      done()
    },
  })
}

function lines(): Transform {
  let rest = ''
  return step<Buffer, string>(
    (bytes, push) => {
      const parts = (rest + bytes.toString('latin1')).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) push(part)
    },
    (push) => {
      if (rest !== '') push(rest)
    },
  )
}

function parsed(seeOne: () => void): Transform {
  return step<string, NexmarkEvent>((line, push) => {
    seeOne()
    push(JSON.parse(line))
  })
}

function taking<Row>(take: (row: Row) => void): Writable {
  return new Writable({
    objectMode: true,
    write(row: Row, _encoding, done): void {
      take(row)
      done()
    },
  })
}

export const streams: Library = {
  async stateless(path, { keep, make }, { take, seeOne }) {
    const kept = step<NexmarkEvent, NexmarkEvent>((event, push) => {
      if (isBid(event) && keep(event)) push(event)
    })
    const made = step<NexmarkEvent, ReturnType<typeof make>>((event, push) => {
      if (isBid(event)) push(make(event))
    })
    await pipeline(createReadStream(path), lines(), parsed(seeOne), kept, made, taking(take))
  },

  async hotAuctions(path, { take, seeOne }) {
    const windows = new HotAuctions()
    const fired = step<NexmarkEvent, object>(
      (event, push) => windows.add(event).forEach(push),
      (push) => windows.end().forEach(push),
    )
    await pipeline(createReadStream(path), lines(), parsed(seeOne), fired, taking(take))
  },
}
