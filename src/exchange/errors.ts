import { defineErrors } from '../base/errors.ts'

export const exchangeErrors = defineErrors({
  notSendable: {
    code: 'TM1800',
    kind: 'user',
    title: 'a row cannot be sent to another subtask',
    remedy:
      'Return plain data from the step before the exchange (null, booleans, numbers, bigints, strings, Uint8Array, arrays, records, Map, Set), or run the job with parallelism 1.',
  },
})
