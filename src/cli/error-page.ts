/** The pages below `docs/errors`, from Markdown to a terminal. They use headings, paragraphs, lists and code only. */
import pc from 'picocolors'

export interface ErrorPage {
  readonly code: string
  readonly title: string
  readonly sections: readonly PageSection[]
}

export interface PageSection {
  readonly heading: string
  /** Markdown, as written. */
  readonly text: string
}

/** Splits a page at its headings. A page without the usual first line has its code as title. */
export function parsePage(code: string, markdown: string): ErrorPage {
  const lines = markdown.split(/\r?\n/)
  let title = code
  const sections: { heading: string; lines: string[] }[] = []
  for (const line of lines) {
    const [, marks, text] = /^(#{1,2}) (.*)$/.exec(line) ?? []
    if (marks === '#' && text !== undefined) title = text.replace(`${code}: `, '')
    else if (marks === '##' && text !== undefined) sections.push({ heading: text, lines: [] })
    else if (sections.length > 0) sections.at(-1)?.lines.push(line)
    else if (line.trim() !== '') sections.push({ heading: '', lines: [line] })
  }
  return {
    code,
    title,
    sections: sections.map((one) => ({ heading: one.heading, text: one.lines.join('\n').trim() })),
  }
}

/** Lines of at most `columns` characters; code blocks keep theirs. */
export function renderPage(page: ErrorPage, columns: number): readonly string[] {
  const lines = [pc.bold(`${page.code}: ${page.title}`)]
  for (const { heading, text } of page.sections) {
    lines.push('')
    if (heading !== '') lines.push(pc.bold(heading))
    lines.push(...renderText(text, columns - 2).map((line) => (line === '' ? '' : `  ${line}`)))
  }
  return lines
}

function renderText(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  let paragraph = ''
  let hang = ''
  let inCode = false
  const flush = (): void => {
    if (paragraph !== '') lines.push(...wrap(paragraph, columns, hang))
    paragraph = ''
    hang = ''
  }
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) {
      flush()
      inCode = !inCode
    } else if (inCode) lines.push(`  ${line}`)
    else if (line.trim() === '') {
      flush()
      lines.push('')
    } else {
      const bullet = /^\s*(?:[-*]|\d+\.) +/.exec(line)?.[0]
      if (bullet !== undefined) {
        flush()
        hang = ' '.repeat(bullet.length)
        paragraph = line.trimEnd()
      } else paragraph = paragraph === '' ? line.trim() : `${paragraph} ${line.trim()}`
    }
  }
  flush()
  return lines
}

function wrap(text: string, columns: number, hang: string): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line !== hang && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = `${hang}${word}`
    } else line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines
}
