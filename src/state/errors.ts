import { defineErrors } from '../base/errors.ts'

export const stateErrors = defineErrors({
  unfitValue: {
    code: 'TM1401',
    kind: 'user',
    title: 'a value does not fit the state it was written to',
    remedy:
      'Correct the value in the step that is named, or change the schema in the declaration of the state.',
  },
  undeclared: {
    code: 'TM1402',
    kind: 'user',
    title: 'a snapshot holds state that the program does not declare',
    remedy:
      'Declare the state again, rename it with `was`, or drop it on purpose with `--drop <operator>.<state>`.',
  },
  otherDeclaration: {
    code: 'TM1403',
    kind: 'user',
    title: 'state is stored with another kind or schema than the program declares',
    remedy:
      'Restore the former declaration, or give the new one another name and move the data in the program.',
  },
  damaged: {
    code: 'TM1404',
    kind: 'fatal',
    title: 'a block of keyed state is damaged',
    remedy:
      'The bytes are not what was written. Restore from an earlier checkpoint or from a copy of this one.',
  },
  limitReached: {
    code: 'TM1405',
    kind: 'user',
    title: 'a step holds as much state as its limit allows',
    remedy:
      'Find out why keys or timers pile up (no clean-up, a key with too many values); raise the limit if they are needed.',
  },
  badTimer: {
    code: 'TM1406',
    kind: 'user',
    title: 'a timer was set to something that is not a point in time',
    remedy: 'Give `setAt` a finite number of epoch milliseconds and `setAfter` a finite duration.',
  },
  unordered: {
    code: 'TM1407',
    kind: 'user',
    title: 'the key type of a sorted map has no order',
    remedy:
      'Use text, literals, a number, a bigint, a boolean, an instant, a date or a decimal as key, or use `mapState`.',
  },
  badDeclaration: {
    code: 'TM1408',
    kind: 'user',
    title: 'the state of a step is not declared well',
    remedy:
      'Correct the declaration: names and former names occur once, and a time to live is longer than zero.',
  },
})
