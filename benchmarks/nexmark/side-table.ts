/** The bounded table of q13: key i holds the text of i. */
export const SIDE_ROWS = 10_000

export const sideTable: ReadonlyMap<number, string> = new Map(
  Array.from({ length: SIDE_ROWS }, (_, key) => [key, String(key)]),
)
