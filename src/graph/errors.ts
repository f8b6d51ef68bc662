import { defineErrors } from '../base/errors.ts'

/** What can be wrong with a plan. Each entry has a page in `docs/errors/`. */
export const graphErrors = defineErrors({
  nameInvalid: {
    code: 'TM1300',
    kind: 'user',
    title: 'a name is not usable',
    remedy:
      'Use 1 to 64 letters, digits, dots, underscores and hyphens, beginning with a letter or digit: ' +
      'names become file names, table names and labels.',
  },
  nameMissing: {
    code: 'TM1301',
    kind: 'user',
    title: 'a step that stores something has no name',
    remedy:
      'Pass a literal name as the first argument. It ties the step to its stored data across versions.',
  },
  nameRepeated: {
    code: 'TM1302',
    kind: 'user',
    title: 'a name is used twice',
    remedy:
      'Give each source, each stateful step and each sink a name of its own. ' +
      'Names that differ only in upper and lower case count as equal, because some file systems cannot tell them apart.',
  },
  nameReserved: {
    code: 'TM1303',
    kind: 'user',
    title: 'a name is reserved',
    remedy:
      'Choose another name: this one has a meaning in the language, in SQL tables or in a file system.',
  },
  fieldNameInvalid: {
    code: 'TM1304',
    kind: 'user',
    title: 'the name of a state, timer, output or aggregate is not usable',
    remedy:
      'Use a plain identifier of at most 64 letters, digits and underscores that does not begin with a digit.',
  },
  lateUnused: {
    code: 'TM1305',
    kind: 'user',
    title: 'nobody takes the late records of a step',
    remedy:
      "Send `late` somewhere, e.g. to deadLetters(), or write .dropLate('why they do not matter').",
  },
  rejectedUnused: {
    code: 'TM1306',
    kind: 'user',
    title: 'nobody takes the rejected records of a step',
    remedy:
      'Send `rejected` somewhere, e.g. to deadLetters(), or write .orFail() to stop the job at the first one.',
  },
  deadEnd: {
    code: 'TM1307',
    kind: 'user',
    title: 'the records of a step go nowhere',
    remedy: "End the chain with .to('name', sink), or remove the step.",
  },
  outcomeContradicted: {
    code: 'TM1308',
    kind: 'user',
    title: 'records are both taken and given up',
    remedy:
      'Keep one of the two: either the stream of set-aside records, or .dropLate(…) / .orFail().',
  },
  noSink: {
    code: 'TM1309',
    kind: 'user',
    title: 'a pipeline has no sink',
    remedy: "Add at least one .to('name', sink): without it the job would run and produce nothing.",
  },
  notKeyed: {
    code: 'TM1310',
    kind: 'user',
    title: 'a keyed step does not follow keyBy',
    remedy:
      'Call .keyBy(…) first, so that every record has a key that decides where its state lives.',
  },
  inputUnknown: {
    code: 'TM1311',
    kind: 'user',
    title: 'an input of a step does not exist',
    remedy:
      'Build plans with the fluent API. A plan built by hand may refer only to earlier steps and to outputs they have.',
  },
  noEventTime: {
    code: 'TM1312',
    kind: 'user',
    title: 'a step needs event time and its input has none',
    remedy:
      'Call .withEventTime({ timestamp, maxOutOfOrderness }) before the step, or use the processing-time form.',
  },
  optionInvalid: {
    code: 'TM1313',
    kind: 'user',
    title: 'an option of a pipeline or step is out of range',
    remedy: 'Correct the option; the message says which values are possible.',
  },
  renameInvalid: {
    code: 'TM1314',
    kind: 'user',
    title: 'a rename does not name exactly one former step',
    remedy:
      'Let `was` name the one former step whose data this step continues, and not a step that still exists.',
  },
})
