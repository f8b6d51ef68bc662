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
    remedy: 'Give the path of a TypeScript or JavaScript module that builds a pipeline and calls run().',
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
    remedy: 'Fix the error below.',
  },
  planDiffers: {
    code: 'TM2006',
    kind: 'user',
    title: 'the job module built another plan than before',
    remedy: 'Make the plan depend on parameters only, not on time, randomness or files that change.',
  },
})
