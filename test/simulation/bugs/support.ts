/** How mistakes are planted: around the disk, the sources and sinks of a plan, the subtasks of a job, or in a class. */
import type { Disk, DiskFile } from '../../../src/base/env.ts'
import type {
  PartitionReader,
  SinkContext,
  SinkWriter,
  Source,
} from '../../../src/connectors/contract.ts'
import type { Plan, PlanNode } from '../../../src/graph/plan.ts'
import type { Interference } from '../../../src/testing/simulate/run-seed.ts'
import type { World } from '../../../src/testing/world/world.ts'

export interface PlantedBug {
  readonly name: string
  /** Made anew for every seed, since some mistakes remember something. */
  readonly plant: () => Interference
  /** The job that shows it; any when absent. */
  readonly job?: string
  /** Seeds within which it must be found. */
  readonly budget: number
  /** What has to happen for it to show, for mistakes that chance alone would meet too seldom. */
  readonly harm?: (world: World) => void
}

/** Replaces some calls of the disk; made anew for every life. */
export function onDisk(change: (disk: Disk) => Partial<Disk>): () => Interference {
  return () => ({ env: (env) => ({ ...env, disk: { ...env.disk, ...change(env.disk) } }) })
}

/** Replaces some calls of the files whose path matches. */
export function onFiles(
  path: RegExp,
  change: (file: DiskFile) => Partial<DiskFile>,
): () => Interference {
  return onDisk((disk) => ({
    async open(name, mode) {
      const file = await disk.open(name, mode)
      return path.test(name) ? { ...calls(file), ...change(file) } : file
    },
  }))
}

function calls(file: DiskFile): DiskFile {
  return {
    pread: (target, position) => file.pread(target, position),
    pwrite: (source, position) => file.pwrite(source, position),
    fdatasync: () => file.fdatasync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    size: () => file.size(),
    close: () => file.close(),
  }
}

export function onNodes(change: (node: PlanNode) => PlanNode): () => Interference {
  return () => ({ plan: (plan: Plan) => ({ ...plan, nodes: plan.nodes.map(change) }) })
}

export function onReaders(
  change: (reader: PartitionReader<unknown>) => PartitionReader<unknown>,
): () => Interference {
  return onNodes((node) =>
    node.kind === 'source' ? { ...node, source: changedSource(node.source, change) } : node,
  )
}

function changedSource(
  source: Source<unknown>,
  change: (reader: PartitionReader<unknown>) => PartitionReader<unknown>,
): Source<unknown> {
  return {
    ...source,
    async open(context) {
      const handle = await source.open(context)
      return {
        partitions: () => handle.partitions(),
        reader: async (partition, position) => change(await handle.reader(partition, position)),
        close: () => handle.close(),
      }
    },
  }
}

/** Replaces some calls of file sinks. */
export function onSinks(
  change: (writer: SinkWriter<unknown>, context: SinkContext) => Partial<SinkWriter<unknown>>,
): () => Interference {
  return onNodes((node) => {
    if (node.kind !== 'sink') return node
    const { sink } = node
    return {
      ...node,
      sink: {
        ...sink,
        async open(context) {
          const writer = await sink.open(context)
          const whole: SinkWriter<unknown> = {
            write: (row, timestampMs) => writer.write(row, timestampMs),
            get full() {
              return writer.full
            },
            flush: () => writer.flush(),
            prepare: (epoch) => writer.prepare(epoch),
            commit: (epoch, prepared) => writer.commit(epoch, prepared),
            recover: (committed) => writer.recover(committed),
            counts: () => writer.counts(),
            close: () => writer.close(),
          }
          return Object.defineProperties(
            whole,
            Object.getOwnPropertyDescriptors(change(writer, context)),
          )
        },
      },
    }
  })
}

/** Replaces a method of a class for the time of one seed. */
export function onMethod<Class extends object, Name extends keyof Class>(
  prototype: Class,
  name: Name,
  change: (original: Class[Name]) => Class[Name],
): () => Interference {
  return () => ({
    install() {
      const original = prototype[name]
      prototype[name] = change(original)
      return () => {
        prototype[name] = original
      }
    },
  })
}
