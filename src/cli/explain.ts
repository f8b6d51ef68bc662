/** `tidemill explain TM1042` prints the page of an error, `tidemill explain <job.ts>` the plan of a job. */
import type { Command } from 'commander'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TidemillError } from '../base/errors.ts'
import { bundleJob } from './bundle-job.ts'
import { cliErrors } from './errors.ts'
import { type ErrorPage, parsePage, renderPage } from './error-page.ts'
import { type Params, parseParam } from './options.ts'
import { asLoadError } from './run-job.ts'
import type { Session } from './session.ts'
import { ThreadHost } from './thread-host.ts'
import type { LoadedJob } from './worker-messages.ts'

interface ExplainFlags {
  readonly param?: Params
  readonly json?: boolean
}

export function addExplainCommand(program: Command, session: Session): void {
  program
    .command('explain')
    .description('print what an error code means, or what a job does')
    .argument('<what>', 'an error code such as TM1042, or a job module')
    .option(
      '--param <name=value>',
      'a parameter of the job; may be given several times',
      parseParam,
    )
    .option('--json', 'print one JSON object')
    .action(async (what: string, flags: ExplainFlags) => {
      if (isCode(what)) await explainCode(what, session)
      else await explainJob(what, flags, session)
    })
}

/** `TM1042`, `tm1042`, `1042`, also with a digit missing; a file of that name is a job all the same. */
function isCode(what: string): boolean {
  return /^(tm)?\d{1,6}$/i.test(what) && !existsSync(what)
}

async function explainCode(what: string, session: Session): Promise<void> {
  const code = `TM${what.replace(/^tm/i, '')}`
  const page = readPage(code)
  if (page === undefined) {
    const message = `${code}; the nearest are ${nearestCodes(code, allCodes()).join(', ')}`
    throw new TidemillError(cliErrors.noPage, { message, details: { code } })
  }
  if (session.json) await session.printJson(page)
  else await session.print(...renderPage(page, columns()))
}

async function explainJob(file: string, flags: ExplainFlags, session: Session): Promise<void> {
  const loaded = await loadPlan(file, flags.param ?? new Map())
  if (session.json) await session.print(loaded.description.plan.json)
  else await session.print(loaded.explanation ?? '')
}

async function loadPlan(file: string, params: Params): Promise<LoadedJob> {
  const jobUrl = bundleJob(file).then(({ url }) => url)
  const host = new ThreadHost({ params: [...params], explain: true }, jobUrl)
  try {
    return await host.load(() => {})
  } catch (error) {
    throw asLoadError(error, file)
  } finally {
    await host.close()
  }
}

const pages = new URL('../../docs/errors/', import.meta.url)

function readPage(code: string): ErrorPage | undefined {
  const url = new URL(`${code}.md`, pages)
  return /^TM\d{4}$/.test(code) && existsSync(url)
    ? parsePage(code, readFileSync(url, 'utf8'))
    : undefined
}

function allCodes(): readonly string[] {
  const folder = fileURLToPath(pages)
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names.filter((name) => /^TM\d{4}\.md$/.test(name)).map((name) => basename(name, '.md'))
}

const nearestMax = 5

/** Codes with the fewest digits to change first, then those nearest as a number. */
export function nearestCodes(code: string, codes: readonly string[]): readonly string[] {
  const wanted = code.slice(2)
  const scored = codes.map((one) => ({
    one,
    edits: editDistance(wanted, one.slice(2)),
    apart: Math.abs(Number(wanted) - Number(one.slice(2))),
  }))
  scored.sort((a, b) => a.edits - b.edits || a.apart - b.apart)
  return scored.slice(0, nearestMax).map(({ one }) => one)
}

/** Digits to insert, remove or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

const columnsMax = 100

function columns(): number {
  return Math.min(process.stdout.columns ?? 80, columnsMax)
}
