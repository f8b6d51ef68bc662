/** Numbers and foreign text for people. */

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`
  if (bytes < 2 ** 30) return `${(bytes / 2 ** 20).toFixed(1)} MiB`
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`
}

/** `1 record`, `2 records`. */
export function counted(count: number, singular: string): string {
  return `${count} ${singular}${count === 1 ? '' : 's'}`
}

/** The end of time, where every record was read. */
const beyondDates = 8.64e15

export function timeText(ms: number): string {
  if (ms > beyondDates) return 'end of input'
  if (ms < -beyondDates) return 'none yet'
  return new Date(ms).toISOString()
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
])

/** Text from outside without control characters, which could steer a terminal or break lines. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, '0')
    return escapes.get(character) ?? `\\x${code}`
  })
}
