import { defineErrors } from '../base/errors.ts'

export const platformErrors = defineErrors({
  networkFileSystem: {
    code: 'TM2050',
    kind: 'user',
    title: 'the directory is on a network file system',
    remedy:
      'Use a directory on a local disk. Locks and syncs cannot be trusted over a network; ' +
      'a flag of the program that opens the directory accepts the risk.',
  },
  delay: {
    code: 'TM2051',
    kind: 'bug',
    title: 'a delay is not a number of milliseconds',
    remedy:
      'Pass a finite number of milliseconds. If the value did not come from your program, please report it.',
  },
})
