import { defineErrors } from '../base/errors.ts'

/** What can be wrong with a call of the fluent API. Each entry has a page in `docs/errors/`. */
export const streamErrors = defineErrors({
  foreignStream: {
    code: 'TM1350',
    kind: 'user',
    title: 'a stream belongs to another pipeline',
    remedy:
      'Combine streams of one pipeline only. To connect two jobs, let one write a topic that the other reads.',
  },
  argument: {
    code: 'TM1351',
    kind: 'user',
    title: 'an argument is not what the method takes',
    remedy: 'Correct the argument; the message says what was expected.',
  },
  duration: {
    code: 'TM1352',
    kind: 'user',
    title: 'a duration is not usable here',
    remedy:
      'Use milliseconds(), seconds(), minutes(), hours() or days() with a value the message allows.',
  },
  window: {
    code: 'TM1353',
    kind: 'user',
    title: 'a window definition makes no sense',
    remedy:
      'Windows need a size of at least 1 ms, a slide no larger than the size, and an offset smaller than the slide.',
  },
  timerHandler: {
    code: 'TM1354',
    kind: 'user',
    title: 'timers and their handlers do not match',
    remedy:
      'Give every timer in `timers` one function of the same name in `onTimer`, and no others.',
  },
  parameterMissing: {
    code: 'TM1355',
    kind: 'user',
    title: 'a parameter has no value',
    remedy:
      'Pass it on the command line as --param name=value, or give param() a default as its second argument.',
  },
  aggregate: {
    code: 'TM1356',
    kind: 'user',
    title: 'an aggregate is not usable',
    remedy: 'Correct the definition; the message says what was expected.',
  },
  aggregatedValue: {
    code: 'TM1357',
    kind: 'user',
    title: 'an aggregate was given a value it cannot use',
    remedy: 'Leave such records out with `where`, or filter them before the step.',
  },
  noExecutor: {
    code: 'TM1358',
    kind: 'user',
    title: 'this pipeline cannot run by itself',
    remedy: "Import `pipeline` from 'tidemill': the one of the entry point knows how to run plans.",
  },
})
