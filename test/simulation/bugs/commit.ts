/** Mistakes in the order of a commit and in what recovery does with sources and sinks. */
import type { PartitionReader, SourceBatch } from '../../../src/connectors/contract.ts'
import type {
  SubtaskCallbacks,
  SubtaskHandle,
  SubtaskHost,
  SubtaskSpec,
} from '../../../src/runtime/job.ts'
import type { Interference } from '../../../src/testing/simulate/run-seed.ts'
import { onReaders, onSinks, type PlantedBug } from './support.ts'

export const commitBugs: readonly PlantedBug[] = [
  { name: 'the position of a source is one batch too low', budget: 20, plant: onReaders(behind) },
  { name: 'the position of a source is one batch too high', budget: 20, plant: onReaders(ahead) },
  {
    name: 'output is shown before the manifest is durable',
    budget: 100,
    plant: onHost(shownEarly),
  },
  {
    name: 'recovery forgets to show what was prepared',
    budget: 100,
    plant: onSinks((writer) => ({ recover: () => writer.recover([]) })),
  },
  {
    name: 'recovery shows output that was never committed',
    budget: 60,
    plant: onSinks((writer, { env: { disk }, name: sink }) => ({
      async recover(committed) {
        const directory = `/out/${sink}`
        for (const name of await disk.list(directory)) {
          if (name.endsWith('.pending'))
            await disk.link(`${directory}/${name}`, `${directory}/e99999999-${name.slice(1)}.jsonl`)
        }
        await writer.recover(committed)
      },
    })),
  },
  {
    name: 'showing an epoch a second time shows it twice',
    budget: 40,
    plant: onSinks((writer, { env: { disk }, name: sink, generation }) => ({
      async recover(committed) {
        await writer.recover(committed)
        const directory = `/out/${sink}`
        const names = await disk.list(directory)
        for (const { epoch } of committed) {
          for (const name of names) {
            if (Number(name.slice(1, 9)) === epoch)
              await disk.link(`${directory}/${name}`, `${directory}/e${generation}-${name}`)
          }
        }
      },
    })),
  },
  {
    name: 'output of a failed attempt is forgotten',
    budget: 100,
    harm(world) {
      const nth = 1 + (world.random.u32() % 4)
      world.disk.inject({
        path: '.manifest',
        call: 'pwrite',
        nth,
        effect: { kind: 'fail', errno: 'ENOSPC' },
      })
    },
    plant: onSinks((writer) => {
      let latest = 0
      return {
        prepare(epoch) {
          latest = epoch
          return writer.prepare(epoch)
        },
        commit: (epoch, prepared) =>
          epoch === latest ? writer.commit(epoch, prepared) : Promise.resolve(),
      }
    }),
  },
  {
    name: 'a failed attempt is never reported, so that the job waits for ever',
    budget: 60,
    plant: onHost(silent),
  },
  {
    name: 'the last epoch of a finished job is not shown after a crash',
    budget: 300,
    plant: onHost(finishedAlready),
  },
]

/** Says where it was before the last batch. */
function behind(reader: PartitionReader<unknown>): PartitionReader<unknown> {
  let before = reader.position()
  return {
    async read() {
      before = reader.position()
      return reader.read()
    },
    wait: (maxMs) => reader.wait(maxMs),
    position: () => before,
    close: () => reader.close(),
  }
}

/** Reads one batch more than it gives. */
function ahead(reader: PartitionReader<unknown>): PartitionReader<unknown> {
  let next: Promise<SourceBatch<unknown> | 'idle' | 'end'> | undefined
  return {
    async read() {
      const batch = await (next ?? reader.read())
      if (typeof batch === 'string') return batch
      next = reader.read()
      await next
      return batch
    },
    wait: (maxMs) => reader.wait(maxMs),
    position: () => reader.position(),
    close: () => reader.close(),
  }
}

type Start = (host: SubtaskHost, spec: SubtaskSpec, callbacks: SubtaskCallbacks) => SubtaskHandle

function onHost(start: Start): () => Interference {
  return () => ({ host: (host) => ({ start: (spec, callbacks) => start(host, spec, callbacks) }) })
}

function shownEarly(
  host: SubtaskHost,
  spec: SubtaskSpec,
  callbacks: SubtaskCallbacks,
): SubtaskHandle {
  if (spec.manifest?.finished === true) return host.start(spec, callbacks)
  const handle = host.start(spec, {
    failed: (error) => callbacks.failed(error),
    report(report) {
      if (report.kind === 'prepared') handle.send({ kind: 'commit', epoch: report.ack.epoch })
      // The driver must not hear of a commit that it has not asked for yet.
      if (report.kind !== 'committed' && report.kind !== 'commit-failed') callbacks.report(report)
    },
  })
  return {
    stop: () => handle.stop(),
    progress: () => handle.progress(),
    send(message) {
      if (message.kind === 'commit')
        callbacks.report({ kind: 'committed', subtask: spec.subtask, epoch: message.epoch })
      else handle.send(message)
    },
  }
}

function silent(host: SubtaskHost, spec: SubtaskSpec, callbacks: SubtaskCallbacks): SubtaskHandle {
  return host.start(spec, {
    failed: (error) => callbacks.failed(error),
    report: (report) => (report.kind === 'prepare-failed' ? undefined : callbacks.report(report)),
  })
}

function finishedAlready(
  host: SubtaskHost,
  spec: SubtaskSpec,
  callbacks: SubtaskCallbacks,
): SubtaskHandle {
  const { manifest, subtask } = spec
  if (manifest?.finished !== true) return host.start(spec, callbacks)
  callbacks.report({ kind: 'committed', subtask, epoch: manifest.epoch })
  return { send: () => {}, stop: () => Promise.resolve(), progress: () => undefined }
}
