/** Topics: their names, options and descriptions. A topic is a directory with `topic.meta` and one directory per partition. */
import { type Disk, DiskError, type Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { removeIfPresent, writeNew } from '../base/disk-io.ts'
import { encodeEnvelope, envelopeKind, publishTemporary, readEnvelope } from './envelope.ts'
import { logErrors } from './errors.ts'
import type { Durability, TopicInfo, TopicOptions } from './types.ts'

const metaFile = 'topic.meta'
const partitionsMax = 4096
const segmentBytesMin = 4 * 1024
const segmentBytesMax = 1024 * 1024 * 1024
const segmentBytesDefault = 64 * 1024 * 1024
const dayMs = 86_400_000

/**
 * Creates the directories, then publishes the description: a topic exists whole or not at all. Of several processes that
 * create it at the same moment one succeeds, and the others get TM1201.
 */
export async function createTopic(
  env: Env,
  directory: string,
  name: string,
  options: TopicOptions,
): Promise<TopicInfo> {
  const topic = checkedTopic(env, name, options)
  const { disk } = env
  const home = `${directory}/${name}`
  if ((await disk.stat(`${home}/${metaFile}`)) !== undefined) throw exists(name)
  for (let partition = 0; partition < topic.partitions; partition++)
    await disk.mkdir(`${home}/${partition}`)
  for (let partition = 0; partition < topic.partitions; partition++)
    await disk.syncDir(`${home}/${partition}`)
  const bytes = encodeEnvelope(envelopeKind.topic, topic, 0)
  const published = await publishShared(disk, home, metaFile, topic.id, bytes)
  await disk.syncDir(home)
  await syncParents(disk, home)
  if (!published) throw exists(name)
  return topic
}

/**
 * False when another process was faster. Each writes under a name of its own: with a shared one, one process would
 * publish what the other has written, under an id that it does not know. Who succeeds takes away what others have left.
 */
async function publishShared(
  disk: Disk,
  home: string,
  name: string,
  own: string,
  bytes: Uint8Array,
): Promise<boolean> {
  const temporary = `${home}/${name}.${own}.tmp`
  await writeNew(disk, temporary, bytes)
  try {
    if (!(await publishTemporary(disk, temporary, `${home}/${name}`))) return false
  } catch (error) {
    // Taken away by who was faster.
    const taken = error instanceof DiskError && error.errno === 'ENOENT'
    if (taken && (await disk.stat(`${home}/${name}`)) !== undefined) return false
    throw error
  }
  for (const left of await disk.list(home)) {
    if (left.startsWith(`${name}.`) && left.endsWith('.tmp'))
      await removeIfPresent(disk, `${home}/${left}`)
  }
  return true
}

/**
 * Keeps the description of a frame's columns beside the topic, so that tools can read what a program wrote. The log does
 * not look into it. `fingerprint` is that of the batches.
 */
export async function keepSchema(
  env: Env,
  directory: string,
  topic: string,
  fingerprint: bigint,
  type: unknown,
): Promise<void> {
  const { disk } = env
  const home = `${directory}/${topic}`
  const name = schemaName(fingerprint)
  if ((await disk.stat(`${home}/${name}`)) === undefined) {
    const bytes = encodeEnvelope(envelopeKind.schema, { topic, type }, 0)
    await publishShared(disk, home, name, newId(env), bytes)
  }
  // Whoever published it may have died before its sync.
  await disk.syncDir(home)
}

/** What {@link keepSchema} was given; `undefined` when nobody kept it, TM1206 when it is damaged. */
export async function readSchema(
  env: Env,
  directory: string,
  topic: string,
  fingerprint: bigint,
): Promise<unknown> {
  const file = `${directory}/${topic}/${schemaName(fingerprint)}`
  const content = await readEnvelope(env.disk, file, envelopeKind.schema, 0)
  return (content as { readonly type: unknown } | undefined)?.type
}

function schemaName(fingerprint: bigint): string {
  return `schema-${fingerprint.toString(16).padStart(16, '0')}`
}

/**
 * Makes the way to a directory durable: the entry of every directory above it. Also for directories that exist, because
 * the process that made them may have died before its sync. Those that may not be opened were not made by us.
 */
export async function syncParents(disk: Disk, path: string): Promise<void> {
  for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
    try {
      await disk.syncDir(end === 0 ? '/' : path.slice(0, end))
    } catch (error) {
      if (!(error instanceof DiskError && (error.errno === 'EACCES' || error.errno === 'EPERM')))
        throw error
    }
    if (end === 0) break
  }
}

/** The names of all topics, in order. */
export async function listTopics(env: Env, directory: string): Promise<string[]> {
  const topics: string[] = []
  for (const name of await env.disk.list(directory)) {
    if (!isTopicName(name)) continue
    if ((await env.disk.stat(`${directory}/${name}/${metaFile}`)) !== undefined) topics.push(name)
  }
  return topics
}

/** TM1200 when it does not exist, TM1206 when its description is damaged. */
export async function readTopic(env: Env, directory: string, name: string): Promise<TopicInfo> {
  const file = `${directory}/${name}/${metaFile}`
  const content = isTopicName(name)
    ? await readEnvelope(env.disk, file, envelopeKind.topic, 0)
    : undefined
  if (content === undefined) {
    throw new TidemillError(logErrors.topicUnknown, {
      message: `"${name}" in ${directory}`,
      details: { topic: name },
    })
  }
  return content as TopicInfo
}

/** Letters, digits, dot, underscore and hyphen; not a dot first; at most 120 characters. */
export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$/.test(name)
}

function checkedTopic(env: Env, name: string, options: TopicOptions): TopicInfo {
  if (!isTopicName(name)) {
    throw invalid(
      `the name "${name}" may have letters, digits, ".", "_" and "-", at most 120, and no "." first`,
    )
  }
  const { ageMs, bytes } = options.retention ?? {}
  const retention = {
    ...(ageMs === undefined
      ? {}
      : { ageMs: whole('retention.ageMs', ageMs, 1, Number.MAX_SAFE_INTEGER) }),
    ...(bytes === undefined
      ? {}
      : { bytes: whole('retention.bytes', bytes, 1, Number.MAX_SAFE_INTEGER) }),
  }
  return {
    name,
    id: newId(env),
    partitions: whole('partitions', options.partitions ?? 1, 1, partitionsMax),
    durability: checkedDurability(options.durability ?? 'sync'),
    retention,
    compaction: options.compaction ?? false,
    tombstoneMs: whole('tombstoneMs', options.tombstoneMs ?? dayMs, 0, Number.MAX_SAFE_INTEGER),
    segmentBytes: whole(
      'segmentBytes',
      options.segmentBytes ?? segmentBytesDefault,
      segmentBytesMin,
      segmentBytesMax,
    ),
    createdMs: env.clock.wallMs(),
  }
}

function newId(env: Env): string {
  const bytes = env.random.stream('log.topic').bytes(16)
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

function checkedDurability(durability: Durability): Durability {
  if (durability === 'sync' || durability === 'process' || durability === 'none') return durability
  throw invalid(`durability "${String(durability)}"; it is "sync", "process" or "none"`)
}

function whole(what: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalid(`${what} is ${value}; it must be a whole number from ${min} to ${max}`)
}

function exists(name: string): TidemillError {
  return new TidemillError(logErrors.topicExists, {
    message: `"${name}"`,
    details: { topic: name },
  })
}

function invalid(message: string): TidemillError {
  return new TidemillError(logErrors.topicInvalid, { message })
}
