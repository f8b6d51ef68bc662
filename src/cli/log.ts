/** `tidemill log create|append|read|describe|verify TOPIC --dir DIR` */
import type { Command } from 'commander'
import { TidemillError } from '../base/errors.ts'
import type { EventLog } from '../log/log.ts'
import type { Durability, TopicDescription, TopicOptions, VerifyReport } from '../log/types.ts'
import { cliErrors } from './errors.ts'
import { addAppendCommand } from './log-append.ts'
import { addReadCommand } from './log-read.ts'
import { type LogFlags, withLog } from './open-log.ts'
import { oneOf, parseCount, parseDuration, parseSize } from './options.ts'
import type { Session } from './session.ts'
import { bytesText, counted } from './text.ts'

interface CreateFlags extends LogFlags {
  readonly partitions?: number
  readonly durability?: Durability
  readonly retainTime?: number
  readonly retainBytes?: number
  readonly compact?: boolean
  readonly tombstones?: number
  readonly segmentBytes?: number
}

export function addLogCommand(program: Command, session: Session): void {
  const log = program
    .command('log')
    .description('create, fill, read and check topics of the embedded event log')
  onTopic(log, 'create', 'create a topic')
    .option(
      '--partitions <count>',
      'how many; fixed for the life of the topic (default: 1)',
      parseCount,
    )
    .option(
      '--durability <level>',
      'when an append is done: sync, process or none (default: sync)',
      oneOf('sync', 'process', 'none'),
    )
    .option(
      '--retain-time <duration>',
      'remove segments older than this, e.g. 7d (default: keep)',
      parseDuration,
    )
    .option(
      '--retain-bytes <size>',
      'remove the oldest segments above this size of a partition, e.g. 10G (default: keep)',
      parseSize,
    )
    .option('--compact', 'keep the newest record of every key only')
    .option(
      '--tombstones <duration>',
      'how long a compacted topic remembers deletions (default: 1d)',
      parseDuration,
    )
    .option(
      '--segment-bytes <size>',
      'size at which a new segment begins (default: 64M)',
      parseSize,
    )
    .action((topic: string, flags: CreateFlags) =>
      withLog(session, flags, (open) => create(open, topic, flags, session)),
    )
  addAppendCommand(onTopic(log, 'append', 'append lines of standard input or of a file'), session)
  addReadCommand(
    onTopic(log, 'read', 'print records; committed ones unless told otherwise'),
    session,
  )
  onTopic(log, 'describe', 'print the options of a topic and how far its partitions reach').action(
    (topic: string, flags: LogFlags) =>
      withLog(session, flags, (open) => describe(open, topic, session)),
  )
  onTopic(log, 'verify', 'check every file of a topic without changing anything').action(
    (topic: string, flags: LogFlags) =>
      withLog(session, flags, (open) => verify(open, topic, session)),
  )
}

function onTopic(log: Command, name: string, description: string): Command {
  return log
    .command(name)
    .description(description)
    .argument('<topic>', 'the name of the topic')
    .requiredOption('--dir <directory>', 'the directory of the log')
    .option('--json', 'print JSON, one object per line')
}

async function create(
  log: EventLog,
  topic: string,
  flags: CreateFlags,
  session: Session,
): Promise<void> {
  const info = await log.createTopic(topic, topicOptions(flags))
  if (session.json) await session.printJson(info)
  else await session.print(`${info.name}: created with ${counted(info.partitions, 'partition')}`)
}

function topicOptions(flags: CreateFlags): TopicOptions {
  const { partitions, durability, retainTime, retainBytes, compact, tombstones, segmentBytes } =
    flags
  const retention = {
    ...(retainTime === undefined ? {} : { ageMs: retainTime }),
    ...(retainBytes === undefined ? {} : { bytes: retainBytes }),
  }
  return {
    ...(partitions === undefined ? {} : { partitions }),
    ...(durability === undefined ? {} : { durability }),
    ...(compact === undefined ? {} : { compaction: compact }),
    ...(tombstones === undefined ? {} : { tombstoneMs: tombstones }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    retention,
  }
}

async function describe(log: EventLog, topic: string, session: Session): Promise<void> {
  const description = await log.describe(topic)
  if (session.json) await session.printJson(description)
  else await session.print(...descriptionLines(description))
}

function descriptionLines(topic: TopicDescription): readonly string[] {
  const { retention } = topic
  const kept = [
    ...(retention.ageMs === undefined ? [] : [`${retention.ageMs / 1000} s`]),
    ...(retention.bytes === undefined ? [] : [`${bytesText(retention.bytes)} per partition`]),
  ]
  return [
    `${topic.name}  ${counted(topic.partitions, 'partition')}, created ${new Date(topic.createdMs).toISOString()}`,
    `durability ${topic.durability}, kept ${kept.length === 0 ? 'for ever' : `for ${kept.join(' or ')}`}, ` +
      `${topic.compaction ? 'compacted by key' : 'not compacted'}, segments of ${bytesText(topic.segmentBytes)}`,
    ...topic.partitionInfo.map((one) => {
      const open = one.stableOffset < one.endOffset ? ` (committed up to ${one.stableOffset})` : ''
      const state = one.clean ? 'closed' : 'open, or its writer died'
      return (
        `partition ${one.partition}: offsets ${one.startOffset} to ${one.endOffset}${open}, ` +
        `${bytesText(one.bytes)} in ${counted(one.segments, 'segment')}, writer ${one.generation} ${state}`
      )
    }),
  ]
}

async function verify(log: EventLog, topic: string, session: Session): Promise<void> {
  const report = await log.verify(topic)
  if (session.json) await session.printJson(report)
  else await session.print(...verifyLines(report))
  if (report.intact) return
  if (session.json) session.exitCode = 3
  else
    throw new TidemillError(cliErrors.topicDamaged, {
      message: topic,
      details: { topic, directory: log.directory },
    })
}

function verifyLines(report: VerifyReport): readonly string[] {
  const { topic, files, bytes, batches, records, intact, problems } = report
  return [
    ...problems.map(
      ({ severity, file, offset, message }) => `${severity}  ${file} at byte ${offset}: ${message}`,
    ),
    `${topic}: ${intact ? 'intact' : 'damaged'}; ${counted(records, 'record')} in ${batches} batches, ` +
      `${bytesText(bytes)} in ${counted(files, 'file')}`,
  ]
}
