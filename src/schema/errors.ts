import { defineErrors } from '../base/errors.ts'

/** What can go wrong with schemas, values, keys and frames (frames live in `../frame` and share this catalogue). */
export const schemaErrors = defineErrors({
  unfit: {
    code: 'TM1001',
    kind: 'user',
    title: 'a value does not fit its schema',
    remedy:
      'Correct the value where it is made, or change the schema (a new field id, `optional`) if the value is right.',
  },
  badSchema: {
    code: 'TM1002',
    kind: 'user',
    title: 'a schema is not well formed',
    remedy:
      'Correct the schema: names are not empty, field ids are whole numbers from 1 and unique inside their struct.',
  },
  damaged: {
    code: 'TM1010',
    kind: 'fatal',
    title: 'bytes are not an encoding of the expected value',
    remedy:
      'Check that the bytes were written with this schema and were not changed since; restore them from a copy otherwise.',
  },
  missingField: {
    code: 'TM1011',
    kind: 'user',
    title: 'a stored value lacks a required field',
    remedy:
      'A field that was added after values were stored must be `optional`, or the values must be migrated.',
  },
  notStorable: {
    code: 'TM1012',
    kind: 'user',
    title: 'a value cannot be stored without a schema',
    remedy:
      'Use plain data (null, booleans, numbers, bigints, strings, Uint8Array, arrays, records, Map, Set) or declare a schema.',
  },
  notJson: {
    code: 'TM1020',
    kind: 'user',
    title: 'a record is not JSON',
    remedy:
      'Correct the record at its origin, or take undecodable records with `tryFrom` or the job-wide `onError.decode` policy.',
  },
  validatorRefused: {
    code: 'TM1021',
    kind: 'user',
    title: 'a validator refused a record',
    remedy:
      'Correct the record at its origin, or take refused records with `tryFrom` or the job-wide `onError.decode` policy.',
  },
  validatorAsync: {
    code: 'TM1022',
    kind: 'user',
    title: 'a validator is asynchronous',
    remedy:
      'Records are decoded synchronously: use a validator without asynchronous checks and move those into a step of the job.',
  },
  frameDamaged: {
    code: 'TM1030',
    kind: 'fatal',
    title: 'a frame is damaged',
    remedy:
      'The bytes changed after they were written. Restore them from a copy, or from the checkpoint before them.',
  },
  frameOtherSchema: {
    code: 'TM1031',
    kind: 'user',
    title: 'a frame was written with another schema',
    remedy:
      'Read the frame with the schema it was written with, then convert its rows; `tidemill plan` shows what changed.',
  },
  badKey: {
    code: 'TM1042',
    kind: 'user',
    title: 'a key is not valid',
    remedy:
      'Return a string, a finite number, a bigint, a boolean or a flat tuple of these from the key function.',
  },
})
