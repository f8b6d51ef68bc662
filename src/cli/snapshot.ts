/** `tidemill snapshot inspect` and `tidemill snapshot check`: snapshots seen from outside, without lock or program. */
import type { Command } from 'commander'
import { TidemillError } from '../base/errors.ts'
import {
  type CheckReport,
  checkSnapshots,
  inspectSnapshot,
  type SnapshotSummary,
} from '../checkpoint/inspect.ts'
import { type Ledger, ledgerCounts, ledgerParts } from '../checkpoint/ledger.ts'
import { manifestName, parseName, type SnapshotId } from '../checkpoint/names.ts'
import { cliErrors } from './errors.ts'
import type { Session } from './session.ts'
import { bytesText, counted, printable, timeText } from './text.ts'

export function addSnapshotCommand(program: Command, session: Session): void {
  const snapshot = program.command('snapshot').description('look at checkpoints and savepoints')
  snapshot
    .command('inspect')
    .description('print what a snapshot holds; the newest one unless it is named')
    .argument(
      '<directory>',
      'a state or savepoint directory, or one snapshot of it: directory#g1-e2',
    )
    .option('--json', 'print one JSON object')
    .action(async (place: string) => {
      const { directory, id } = parsePlace(place)
      const summary = await inspectSnapshot(session.env, directory, id)
      if (session.json) await session.printJson(summary)
      else await session.print(...describeSnapshot(summary))
    })
  snapshot
    .command('check')
    .description('read every byte of every snapshot and compare it with its checksum')
    .argument('<directory>', 'a state or savepoint directory')
    .option('--json', 'print one JSON object')
    .action(async (directory: string) => {
      const report = await checkSnapshots(session.env, directory)
      if (session.json) await session.printJson(report)
      else await session.print(...describeCheck(report))
      if (report.intact) return
      if (session.json) session.exitCode = 3
      else throw new TidemillError(cliErrors.snapshotsDamaged, { details: { directory } })
    })
}

/** `dir`, or `dir#g1-e2` for one snapshot. */
function parsePlace(place: string): {
  readonly directory: string
  readonly id: SnapshotId | undefined
} {
  const at = place.lastIndexOf('#')
  if (at < 0) return { directory: place, id: undefined }
  const parsed = parseName(`${place.slice(at + 1)}.manifest`)
  if (parsed.kind !== 'manifest') {
    const example = manifestName({ generation: 1, epoch: 2 }).replace('.manifest', '')
    const message = `"${place.slice(at + 1)}" names no snapshot; write it as ${place.slice(0, at)}#${example}`
    throw new TidemillError(cliErrors.usage, { message })
  }
  return { directory: place.slice(0, at), id: parsed.id }
}

function describeSnapshot(summary: SnapshotSummary): readonly string[] {
  const { kind, finished, sizeBytes, writtenBytes, objects, parallelism, maxParallelism } = summary
  const earlier = objects.filter(({ neededBy }) => neededBy !== undefined).length
  const lines = [
    `${summary.job}  ${summary.snapshot}  ${kind}${finished ? ', input used up' : ''}, ${summary.created}`,
    `${bytesText(sizeBytes)} in ${counted(objects.length, 'data object')}, parallelism ${parallelism} of ${maxParallelism}, ` +
      `plan ${summary.fingerprint}, ${versionsText(summary.versions)}`,
  ]
  if (earlier > 0)
    lines.push(`${bytesText(writtenBytes)} of it are new, ${earlier} of the data objects are older`)
  list(
    lines,
    'parameters',
    Object.entries(summary.parameters),
    ([name, value]) => `${name} = ${printable(value)}`,
  )
  list(
    lines,
    'positions',
    summary.positions,
    (one) => `${one.source}  ${printable(one.partition)}  ${one.position}`,
  )
  list(lines, 'watermarks', summary.watermarks, (one) => {
    return `step ${one.node}  ${one.partition === '' ? '(merged)' : printable(one.partition)}  ${timeText(one.watermarkMs)}`
  })
  list(lines, 'state', summary.operators, (one) => {
    const sections = one.sections.map(
      (section) =>
        `${section.section} ${bytesText(section.sizeBytes)} in ${counted(section.keyGroups, 'key group')}`,
    )
    return `${one.operator}  ${bytesText(one.sizeBytes)}  (${sections.join(', ')})`
  })
  list(
    lines,
    'rows in flight',
    summary.inFlight,
    (one) =>
      `exchange ${one.exchange}  subtask ${one.from} to ${one.to}  ${counted(one.rows, 'row')}, ${bytesText(one.sizeBytes)}`,
  )
  list(
    lines,
    'prepared output',
    summary.sinks,
    (one) => `${one.sink}  epoch ${one.epoch}  ${bytesText(one.preparedBytes)}`,
  )
  list(lines, 'schemas', summary.schemas, (one) => `${one.name}  ${one.hash}`)
  lines.push('', 'ledger', ...ledgerLines(summary.ledger.total))
  return lines
}

function versionsText(versions: SnapshotSummary['versions']): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')
}

function list<Item>(
  lines: string[],
  heading: string,
  items: readonly Item[],
  print: (item: Item) => string,
): void {
  if (items.length > 0) lines.push('', heading, ...items.map((item) => `  ${print(item)}`))
}

/** Counts that are 0 say nothing, except that nothing was read. */
function ledgerLines(ledger: Ledger): readonly string[] {
  return ledgerParts.flatMap((part) =>
    ledger[part].map((entry) => {
      const counts = new Map(Object.entries(entry))
      const told = ledgerCounts(part)
        .filter((name) => counts.get(name) !== 0)
        .map((name) => `${name} ${counts.get(name)}`)
      return `  ${part.slice(0, -1)} ${entry.name}: ${told.length === 0 ? 'nothing' : told.join(', ')}`
    }),
  )
}

function describeCheck(report: CheckReport): readonly string[] {
  const lines: string[] = []
  for (const { snapshot, status, sizeBytes, problems } of report.snapshots) {
    lines.push(`${snapshot}  ${status}  ${bytesText(sizeBytes)}`)
    for (const { code, message, file, offset } of problems) {
      const place =
        file === undefined ? '' : `  ${file}${offset === undefined ? '' : ` at byte ${offset}`}`
      lines.push(`  ${code}  ${message}${place}`)
    }
  }
  if (report.garbage.length > 0) {
    lines.push(
      `${counted(report.garbage.length, 'file')} of no snapshot; the next start removes them: ${report.garbage.join(', ')}`,
    )
  }
  if (report.foreign.length > 0)
    lines.push(`not files of Tidemill: ${report.foreign.map(printable).join(', ')}`)
  return lines
}
