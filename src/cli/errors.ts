import { defineErrors } from '../base/errors.ts'

export const cliErrors = defineErrors({
  usage: {
    code: 'TM2001',
    kind: 'user',
    title: 'the command line is not understood',
    remedy: 'See `tidemill --help`, or `tidemill <command> --help` for the options of one command.',
  },
  noJobFile: {
    code: 'TM2002',
    kind: 'user',
    title: 'there is no such job file',
    remedy:
      'Give the path of a TypeScript or JavaScript module that builds a pipeline and calls run().',
  },
  doesNotCompile: {
    code: 'TM2003',
    kind: 'user',
    title: 'the job module does not compile',
    remedy: 'Fix the error above; types are not checked here, only syntax and imports.',
  },
  noPlan: {
    code: 'TM2004',
    kind: 'user',
    title: 'the job module builds no pipeline',
    remedy: 'Call run() or start() on a pipeline at the top level of the module.',
  },
  jobModuleThrew: {
    code: 'TM2005',
    kind: 'user',
    title: 'the job module threw before its pipeline was complete',
    remedy: 'Fix the error that is shown above.',
  },
  planDiffers: {
    code: 'TM2006',
    kind: 'user',
    title: 'the job module built another plan than before',
    remedy:
      'Make the plan depend on parameters only, not on time, randomness or files that change.',
  },
  noPage: {
    code: 'TM2007',
    kind: 'user',
    title: 'there is no such error code',
    remedy: 'Copy the code from the error message; it is TM and four digits.',
  },
  disk: {
    code: 'TM2008',
    kind: 'transient',
    title: 'the disk failed',
    remedy: 'Look at the system error: rights, free space, or a file that another program holds.',
  },
  unforeseen: {
    code: 'TM2009',
    kind: 'bug',
    title: 'something failed in a way that Tidemill does not know',
    remedy: 'If the cause above is not in your code, please report it with this message.',
  },
  snapshotsDamaged: {
    code: 'TM2010',
    kind: 'fatal',
    title: 'snapshots are damaged',
    remedy:
      'Restore the named files from a copy of the directory, or restore an older snapshot that is intact.',
  },
  topicDamaged: {
    code: 'TM2011',
    kind: 'fatal',
    title: 'a topic is damaged',
    remedy:
      'Restore the named files from a copy; readers stop at the damaged place and show nothing false.',
  },
  inputUnreadable: {
    code: 'TM2012',
    kind: 'user',
    title: 'the input file cannot be read',
    remedy: 'Check the path, or leave --file out and give the lines on standard input.',
  },
  noDeadLetters: {
    code: 'TM2013',
    kind: 'user',
    title: 'there are no dead letters of this name',
    remedy:
      'Check --state and the name of the sink; `tidemill dead list --state DIR` shows the names.',
  },
  notRunning: {
    code: 'TM2014',
    kind: 'user',
    title: 'no running job answers for this state directory',
    remedy: 'Check --state, and that `tidemill run` is running here under the same user.',
  },
})
