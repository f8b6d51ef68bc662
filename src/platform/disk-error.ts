import { DiskError } from '../base/env.ts'

/** The host's error as a {@link DiskError}; `path` is the one the caller used. */
export function diskError(error: unknown, call: string, path: string): DiskError {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  if (error instanceof DiskError) return error
  const detail = error instanceof Error ? error.message.replace(/^[A-Z0-9]+: /, '') : String(error)
  const known = typeof code === 'string' ? (portable[code] ?? code) : 'EIO'
  const wrapped = new DiskError(known, path, `${call} failed (${detail})`)
  wrapped.cause = error
  return wrapped
}

/** Names that differ between systems, and argument errors of Node, as the POSIX code that callers test for. */
const portable: Readonly<Record<string, string>> = {
  EOPNOTSUPP: 'ENOTSUP',
  ENOSYS: 'ENOTSUP',
  ERR_FS_FILE_TOO_LARGE: 'EFBIG',
  ERR_INVALID_ARG_VALUE: 'EINVAL',
  ERR_INVALID_ARG_TYPE: 'EINVAL',
  ERR_OUT_OF_RANGE: 'EINVAL',
}
