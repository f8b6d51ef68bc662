/** `tidemill dead list NAME --state DIR` and `tidemill dead replay NAME --state DIR` */
import type { Command } from 'commander'
import type { Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import type { DeadLetter } from '../connectors/dead-letters/letter-form.ts'
import { listDeadLetters, replayDeadLetters } from '../connectors/dead-letters/store.ts'
import { openLog } from '../log/log.ts'
import { recordsBatch } from '../log/records.ts'
import { cliErrors } from './errors.ts'
import { parseCount } from './options.ts'
import type { Session } from './session.ts'
import { counted, printable } from './text.ts'

interface DeadFlags {
  readonly state?: string
  readonly directory?: string
}

interface ListFlags extends DeadFlags {
  readonly all?: boolean
}

interface ReplayFlags extends DeadFlags {
  readonly id?: readonly string[]
  readonly topic?: string
  readonly dir?: string
  readonly partition?: number
}

export function addDeadCommand(program: Command, session: Session): void {
  const dead = program
    .command('dead')
    .description('look at records that a job set aside, and hand them over again')
  place(
    dead.command('list').description('print dead letters; without a name, which sinks have some'),
  )
    .argument('[name]', 'the name of the sink that took them')
    .option('--all', 'also those that were replayed')
    .option('--json', 'print one JSON object per letter')
    .action((name: string | undefined, flags: ListFlags) => list(name, flags, session))
  place(
    dead
      .command('replay')
      .description(
        'print the records of dead letters as they came, or append them to a topic, and mark them',
      ),
  )
    .argument('<name>', 'the name of the sink that took them')
    .option(
      '--id <id>',
      'only this letter; may be given several times',
      (id: string, ids: readonly string[] = []) => [...ids, id],
    )
    .option('--topic <topic>', 'append them to this topic instead of printing them')
    .option('--dir <directory>', 'the directory of the log, with --topic')
    .option('--partition <number>', 'the partition, with --topic (default: 0)', parseCount)
    .option('--json', 'with --topic: print one JSON object at the end')
    .action((name: string, flags: ReplayFlags) => replay(name, flags, session))
}

function place(command: Command): Command {
  return command
    .option('--state <directory>', 'the state directory of the job')
    .option(
      '--directory <directory>',
      'where deadLetters({ directory }) keeps them, instead of --state',
    )
}

async function list(name: string | undefined, flags: ListFlags, session: Session): Promise<void> {
  const { env } = session
  if (name === undefined) return listNames(env, flags, session)
  const letters = await listDeadLetters(env, await directoryOf(env, name, flags))
  const shown = letters.filter((letter) => flags.all === true || !letter.replayed)
  if (session.json) {
    for (const letter of shown) await session.printJson(letterJson(letter))
    return
  }
  for (const letter of shown) await session.print(...letterLines(letter))
  const replayed = letters.length - letters.filter((letter) => !letter.replayed).length
  await session.print(
    `${name}: ${counted(letters.length, 'dead letter')}, ${replayed} of them replayed`,
  )
}

async function listNames(env: Env, flags: DeadFlags, session: Session): Promise<void> {
  const root = rootOf(flags)
  const place = flags.directory ?? flags.state ?? root
  if ((await env.disk.stat(place)) === undefined)
    throw new TidemillError(cliErrors.noDeadLetters, { message: `${place} does not exist` })
  for (const name of await namesIn(env, root)) {
    const letters = await listDeadLetters(env, `${root}/${name}`)
    const open = letters.filter((letter) => !letter.replayed).length
    if (session.json)
      await session.printJson({ name, letters: letters.length, replayed: letters.length - open })
    else
      await session.print(
        `${name}: ${counted(letters.length, 'dead letter')}, ${letters.length - open} of them replayed`,
      )
  }
}

/** Marked only when the reader of our output, or the log, has taken them. */
async function replay(name: string, flags: ReplayFlags, session: Session): Promise<void> {
  const { env } = session
  const { id, topic, dir } = flags
  if ((topic === undefined) !== (dir === undefined))
    throw usage('--topic and --dir belong together')
  const directory = await directoryOf(env, name, flags)
  const known = new Set((await listDeadLetters(env, directory)).map((letter) => letter.id))
  const unknown = id?.find((one) => !known.has(one))
  if (unknown !== undefined)
    throw usage(
      `${name} has no dead letter ${unknown}; \`tidemill dead list ${name}\` shows their ids`,
    )
  const deliver =
    topic === undefined || dir === undefined
      ? (letters: readonly DeadLetter[]) => session.print(...letters.map(rawLine))
      : (letters: readonly DeadLetter[]) => appendTo(env, dir, topic, flags.partition ?? 0, letters)
  const handed = await replayDeadLetters(env, directory, {
    deliver,
    ...(id === undefined ? {} : { select: (letter: DeadLetter) => id.includes(letter.id) }),
  })
  if (topic === undefined) env.host.log('info', `replayed ${counted(handed.length, 'dead letter')}`)
  else if (session.json) await session.printJson({ name, topic, replayed: handed.length })
  else
    await session.print(
      `${name}: appended ${counted(handed.length, 'dead letter')} to topic ${topic}`,
    )
}

async function appendTo(
  env: Env,
  directory: string,
  topic: string,
  partition: number,
  letters: readonly DeadLetter[],
): Promise<void> {
  await using log = openLog({ env, directory })
  const writer = await log.openWriter(topic, partition)
  const encoder = new TextEncoder()
  const nowMs = env.clock.wallMs()
  for (let i = 0; i < letters.length; i += batchLettersMax) {
    const records = letters.slice(i, i + batchLettersMax).map((letter) => ({
      key: null,
      value: letter.raw instanceof Uint8Array ? letter.raw : encoder.encode(rawLine(letter)),
      timestamp: letter.timestamp ?? nowMs,
    }))
    await writer.append(recordsBatch(records))
  }
}

const batchLettersMax = 500

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What was refused as one line: text as it came, a row as JSON. */
function rawLine({ raw, id }: DeadLetter): string {
  if (typeof raw === 'string') return raw
  if (!(raw instanceof Uint8Array)) return JSON.stringify(raw.row)
  try {
    return strict.decode(raw)
  } catch {
    const message = `letter ${id} holds bytes that are no text; append them with --topic and --dir`
    throw usage(message)
  }
}

function letterJson(letter: DeadLetter): object {
  const { raw, ...facts } = letter
  if (raw instanceof Uint8Array) return { ...facts, base64: Buffer.from(raw).toString('base64') }
  return { ...facts, ...(typeof raw === 'string' ? { text: raw } : raw) }
}

const rawShownMax = 200

function letterLines(letter: DeadLetter): readonly string[] {
  const { id, kind, operator, position, code, message, attempt, raw, replayed } = letter
  const text =
    typeof raw === 'string'
      ? raw
      : raw instanceof Uint8Array
        ? `${raw.length} bytes`
        : JSON.stringify(raw.row)
  const where = position === '' ? '' : ` from ${printable(position)}`
  const cut = text.length > rawShownMax ? `${text.slice(0, rawShownMax)}…` : text
  return [
    `${id}  ${kind} by ${operator}${where}, attempt ${attempt}${replayed ? ', replayed' : ''}`,
    `  ${code}  ${printable(message)}`,
    `  ${printable(cut)}`,
  ]
}

function rootOf({ state, directory }: DeadFlags): string {
  if (directory !== undefined) return directory
  if (state === undefined) throw usage('give --state with the state directory of the job')
  return `${state}/dead-letters`
}

async function directoryOf(env: Env, name: string, flags: DeadFlags): Promise<string> {
  const root = rootOf(flags)
  const names = await namesIn(env, root)
  if (names.includes(name)) return `${root}/${name}`
  const message =
    names.length === 0 ? `${root} has none` : `${name}; ${root} has ${names.join(', ')}`
  throw new TidemillError(cliErrors.noDeadLetters, { message, details: { directory: root } })
}

async function namesIn(env: Env, root: string): Promise<readonly string[]> {
  const names: string[] = []
  for (const name of await env.disk.list(root)) {
    if ((await env.disk.stat(`${root}/${name}`))?.kind === 'directory') names.push(name)
  }
  return names
}

function usage(message: string): TidemillError {
  return new TidemillError(cliErrors.usage, { message })
}
