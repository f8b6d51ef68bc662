import { defineErrors } from './errors.ts'

export const baseErrors = defineErrors({
  assertion: {
    code: 'TM1000',
    kind: 'bug',
    title: 'an internal invariant does not hold',
    remedy:
      'This is a bug in Tidemill. Please report it with this message and its stack; stored data was not touched.',
  },
})
