import { defineErrors } from '../base/errors.ts'

export const windowErrors = defineErrors({
  reservedField: {
    code: 'TM1650',
    kind: 'user',
    title: 'an aggregate uses a reserved field name',
    remedy:
      'Choose another name: `key` and `window` are part of every result row, and `__proto__` is not a field.',
  },
  badValue: {
    code: 'TM1651',
    kind: 'user',
    title: 'a distinct count met a value it cannot compare',
    remedy:
      'Return a string, a finite number, a bigint or a boolean from the function given to countDistinct.',
  },
  badSnapshot: {
    code: 'TM1652',
    kind: 'fatal',
    title: 'stored window state cannot be read',
    remedy:
      'Restore another checkpoint; if this one was written by the same version, report it as a bug.',
  },
})
