import { defineErrors } from '../base/errors.ts'

export const runtimeErrors = defineErrors({
  userFunction: {
    code: 'TM1901',
    kind: 'user',
    title: 'a user function threw',
    remedy: 'Fix the function, or use .try(name, fn) and send its rejections to dead letters.',
  },
  badTime: {
    code: 'TM1902',
    kind: 'user',
    title: 'a record has no usable event time',
    remedy:
      'Return epoch milliseconds from `timestamp`, or take such records as rejections, or set onError.time to skip.',
  },
  invalidKey: {
    code: 'TM1903',
    kind: 'user',
    title: 'a key function returned a value that is not a key',
    remedy:
      'Return text, a finite number, a bigint, a boolean or a tuple of these; see `tidemill explain TM1042`.',
  },
  undecodable: {
    code: 'TM1904',
    kind: 'user',
    title: 'a record could not be decoded',
    remedy:
      'Correct the input, or take rejections with app.tryFrom, or set onError.decode to skip or dead-letter.',
  },
  planMismatch: {
    code: 'TM1905',
    kind: 'user',
    title: 'the program does not fit the state it should continue from',
    remedy:
      'Start the version of the program that wrote the state, or choose another state directory with --state.',
  },
  notBounded: {
    code: 'TM1907',
    kind: 'user',
    title: 'batch mode needs bounded sources',
    remedy: 'Run with --mode stream, or read from a bounded source such as files.',
  },
  stopped: {
    code: 'TM1908',
    kind: 'transient',
    title: 'the job was stopped',
    remedy: 'Start it again: it continues from its last checkpoint.',
  },
  worker: {
    code: 'TM1909',
    kind: 'transient',
    title: 'the worker thread ended unexpectedly',
    remedy:
      'The job restarts from its last checkpoint. If it repeats, look for process.exit, memory or native crashes in user code.',
  },
  batchIncomplete: {
    code: 'TM1911',
    kind: 'transient',
    title: 'batch mode has one commit, at the end of the input',
    remedy:
      'Let the job come to its end. After a stop before that, the next start reads the input from where the last commit was.',
  },
  unanswered: {
    code: 'TM1910',
    kind: 'transient',
    title: 'the job was told to stop, and a worker thread does not answer',
    remedy:
      'Start it again: it continues from its last checkpoint. Look for an endless loop or a call that blocks in user code.',
  },
})
