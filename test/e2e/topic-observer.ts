/**
 * Reads the committed records of a topic while a job writes it: one set of readers follows, another reads everything from
 * the beginning again and again. Both must see the same record at the same offset for ever.
 */
import type { EventLog } from '../../src/log/log.ts'
import { openLog } from '../../src/log/log.ts'
import type { LogReader } from '../../src/log/reader.ts'
import { printRecords } from '../../src/log/text-records.ts'
import { isTidemillError } from '../../src/base/errors.ts'
import { createNodeEnv } from '../../src/platform/node.ts'
import type { Observation, Observer } from './output-observer.ts'

/** Whole passes cost as much as the topic is long, so they come now and then. */
const rereadEvery = 25

export class TopicObserver implements Observer {
  readonly #log: EventLog
  readonly #topic: string
  readonly #violations = new Set<string>()
  /** Per partition, what each offset held. */
  readonly #seen: Map<number, string>[] = []
  /** Per partition, the last offset that came to the follower. */
  readonly #followed: number[] = []
  #followers: LogReader[] | undefined
  #looks = 0
  #records = 0

  constructor(directory: string, topic: string) {
    this.#log = openLog({ env: createNodeEnv({ logLevel: 'error' }), directory })
    this.#topic = topic
  }

  async look(): Promise<void> {
    this.#looks++
    try {
      this.#followers ??= await this.#open()
      for (const reader of this.#followers) await this.#follow(reader)
      if (this.#looks % rereadEvery === 0) await this.readAgain()
    } catch (error) {
      // Until the job has created it, there is no topic.
      if (isTidemillError(error) && error.code === 'TM1200' && this.#followers === undefined) return
      this.#violations.add(
        `reading failed: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  /** Reads the topic from its beginning with readers of their own and compares it with what was seen. */
  async readAgain(): Promise<void> {
    const before = this.#seen.map((seen) => seen.size)
    const readers = await this.#open()
    for (const [partition, reader] of readers.entries()) {
      const count = await this.#drain(reader, () => {})
      const expected = before[partition] ?? 0
      if (count < expected)
        this.#violations.add(
          `partition ${partition}: ${expected} records were visible, now ${count}`,
        )
      await reader.close()
    }
  }

  /** Values of all committed records, sorted. */
  values(): readonly string[] {
    return this.#seen.flatMap((seen) => [...seen.values()]).sort()
  }

  report(): Observation {
    return {
      violations: [...this.#violations],
      looks: this.#looks,
      files: this.#seen.length,
      lines: this.#records,
    }
  }

  async close(): Promise<void> {
    await this.#log.close()
  }

  async #open(): Promise<LogReader[]> {
    const { partitions } = await this.#log.topic(this.#topic)
    const readers: LogReader[] = []
    for (let partition = 0; partition < partitions; partition++)
      readers.push(await this.#log.openReader(this.#topic, partition, { isolation: 'committed' }))
    return readers
  }

  /** What is new to a reader that follows: offsets must rise. */
  async #follow(reader: LogReader): Promise<void> {
    let last = this.#followed[reader.partition] ?? -1
    await this.#drain(reader, (offset) => {
      if (offset <= last)
        this.#violations.add(
          `${reader.partition}:${offset} came to a following reader after ${last}`,
        )
      last = offset
    })
    this.#followed[reader.partition] = last
  }

  /** Reads to the present end and compares with what was seen; returns the number of records. */
  async #drain(reader: LogReader, each: (offset: number) => void): Promise<number> {
    const { partition } = reader
    const seen = this.#seen[partition] ?? new Map<number, string>()
    this.#seen[partition] = seen
    let count = 0
    for (;;) {
      const batches = await reader.read()
      if (batches === undefined) return count
      for (const { offset, value } of batches.flatMap((batch) => printRecords(batch))) {
        count++
        each(offset)
        const known = seen.get(offset)
        if (known === undefined) {
          seen.set(offset, value ?? 'null')
          this.#records++
        } else if (known !== value) {
          this.#violations.add(`${partition}:${offset} was ${known} and is now ${value}`)
        }
      }
    }
  }
}
