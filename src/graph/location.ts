/**
 * Finds the line of the program that called into this package, from the text of a stack trace. For messages only:
 * where the host formats stacks in another way the answer is `undefined` and nothing else changes.
 */

/** `file.ts:12:4` of the nearest frame outside of this package, `undefined` when it cannot be told. */
export function callerLocation(): string | undefined {
  return outerLocation(new Error().stack)
}

/** The nearest frame of `stack` outside of the package that its first frame belongs to. */
export function outerLocation(stack: string | undefined): string | undefined {
  if (stack === undefined) return undefined
  let root: string | undefined
  for (const line of stack.split('\n')) {
    const place = placeOf(line)
    if (place === undefined) continue
    if (root === undefined) {
      // The first frame is this file, or the one it was merged into for the package (`bin/compile.js`). In a bundle of
      // the user's it is neither, and then own and foreign frames cannot be told apart.
      root = /^(.*[/\\])(?:graph[/\\]location\.[jt]s|cli[/\\]engine-\w+\.js):\d/.exec(place)?.[1]
      if (root === undefined) return undefined
    } else if (!place.startsWith(root) || /\.test\.[jt]s:\d/.test(place)) {
      return place
    }
  }
  return undefined
}

/** `path:line:column` of one line of a stack, for V8 (`at f (path:1:2)`) and the others (`f@path:1:2`). */
function placeOf(line: string): string | undefined {
  const found = /(?:\(|@|at (?:async )?)((?:file:\/\/|[A-Za-z]:[/\\]|\/)[^()]*:\d+:\d+)\)?$/.exec(
    line.trim(),
  )
  if (found === null) return undefined
  const place = found[1] ?? ''
  return place.startsWith('file://') ? decode(place.slice('file://'.length)) : place
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // Not an escaped path after all: the raw text still tells a person where to look.
    return path
  }
}
