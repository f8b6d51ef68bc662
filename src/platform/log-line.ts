/** One log line: JSON for machines, plain text for a terminal. Neither lets a value start a new line or move a cursor. */
import type { LogLevel } from '../base/env.ts'

export function formatLogLine(
  asText: boolean,
  wallMs: number,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> | undefined,
): string {
  const time = new Date(wallMs).toISOString()
  // `time`, `level` and `message` come last, so that no field can pose as one of them.
  if (!asText) return `${visible(JSON.stringify(plain({ ...fields, time, level, message }, 0)))}\n`
  let line = `${time.slice(11, 23)} ${level.padEnd(5)} ${message}`
  for (const [name, value] of Object.entries(fields ?? {})) {
    line += ` ${name}=${typeof value === 'string' ? value : JSON.stringify(plain(value, 0))}`
  }
  return `${visible(line)}\n`
}

const depthMax = 6

/** JSON-safe copy: bigints as text, errors with their message and stack, cycles and deep structures cut. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' ? '[function]' : value
  if (depth === depthMax) return '[deep]'
  if (value instanceof Error) {
    const { name, message, stack, cause } = value
    const code = (value as { code?: unknown }).code
    return plain(
      {
        name,
        message,
        ...(code === undefined ? {} : { code }),
        stack,
        ...(cause === undefined ? {} : { cause }),
      },
      depth + 1,
    )
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    return plain((value as { toJSON(): unknown }).toJSON(), depth + 1)
  }
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1))
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1)]),
  )
}

/** Control characters and those that reorder text, as escapes. JSON has already escaped the first 32. */
function visible(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
