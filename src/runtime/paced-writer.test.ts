/** How much is kept on the way to a receiver, by how fast it reads. */
import { describe, expect, it } from 'vitest'
import { PacedWriter } from './paced-writer.ts'

const message = new Uint8Array(4_096)

/** A channel of 1 MiB whose sender and receiver take turns of ten milliseconds. */
function channel() {
  let content = 0
  let nowMs = 0
  let sent = 0
  let most = 0
  const size = 1 << 20
  const paced = new PacedWriter(
    {
      size,
      get fill() {
        return content / size
      },
      write(bytes) {
        if (content + bytes.length > size) return false
        content += bytes.length
        return true
      },
    },
    { monoMs: () => nowMs },
  )
  return {
    paced,
    get content() {
      return content
    },
    /** The most that was on the way since the last call. */
    most() {
      const seen = most
      most = 0
      return seen
    },
    /** The sender gives what it may, at most so much per second; the receiver reads at most so much per second. */
    run(seconds: number, givenPerSecond: number, readPerSecond: number) {
      let [give, read] = [0, 0]
      for (let turn = 0; turn < seconds * 100; turn++) {
        nowMs += 10
        give = Math.min(size, give + givenPerSecond / 100)
        while (give >= message.length && !paced.crowded && paced.write(message)) {
          give -= message.length
          sent += message.length
        }
        most = Math.max(most, content)
        read = content === 0 ? 0 : read + readPerSecond / 100
        const now = Math.min(content, Math.floor(read))
        content -= now
        read -= now
        paced.look()
      }
      return sent
    },
  }
}

describe('a channel to a receiver', () => {
  it('that is slow holds what it reads in half a second', () => {
    const one = channel()
    one.run(1, 1e9, 50_000)
    expect(one.most()).toBeLessThanOrEqual(16 * 1024 + message.length)
    one.run(10, 1e9, 50_000)
    expect(one.most()).toBeLessThanOrEqual(25_000 + message.length)
    expect(one.paced.limit).toBeGreaterThan(20_000)
    one.run(10, 1e9, 2_000)
    one.most()
    one.run(10, 1e9, 2_000)
    expect(one.most()).toBeLessThanOrEqual(2 * message.length)
  })

  it('that is fast has all the room, also after short pauses', () => {
    const one = channel()
    one.run(0.3, 1e9, 50e6)
    expect(one.paced.limit).toBe(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 20; i++) {
      one.run(0.4, 1e9, 0)
      expect(one.paced.crowded).toBe(false)
      one.run(0.4, 1e9, 50e6)
    }
    expect(one.paced.limit).toBe(Number.POSITIVE_INFINITY)
  })

  it('that turns slow is noticed within two seconds, and again when it turns fast', () => {
    const one = channel()
    one.run(2, 1e9, 50e6)
    one.run(2.1, 1e9, 20_000)
    expect(one.paced.limit).toBeLessThan(16 * 1024)
    expect(one.paced.crowded).toBe(true)
    one.run(1, 1e9, 50e6)
    expect(one.paced.limit).toBe(Number.POSITIVE_INFINITY)
  })

  it('that waits for a slow sender is not called slow for ever', () => {
    const one = channel()
    one.run(5, 5_000, 50e6)
    const before = one.run(0, 0, 0)
    expect(one.run(1, 10e6, 50e6) - before).toBeGreaterThan(5e6)
  })
})
