/** The error catalogue of checkpoints, TM1500-1599. */
import { defineErrors } from '../base/errors.ts'

export const checkpointErrors = defineErrors({
  locked: {
    code: 'TM1500',
    kind: 'user',
    title: 'the state directory is in use by another process',
    remedy:
      'Stop the process named here, or start this job with another state directory (--state).',
  },
  manifestCorrupt: {
    code: 'TM1501',
    kind: 'fatal',
    title: 'a published manifest does not verify',
    remedy:
      'Run "tidemill snapshot check" on the directory. If an older checkpoint is intact, restoring it re-reads input and may publish results again.',
  },
  objectCorrupt: {
    code: 'TM1502',
    kind: 'fatal',
    title: 'a data object of a checkpoint does not verify',
    remedy:
      'Run "tidemill snapshot check" on the directory. If an older checkpoint is intact, restoring it re-reads input and may publish results again.',
  },
  objectMissing: {
    code: 'TM1503',
    kind: 'fatal',
    title: 'a checkpoint names a data object that is missing or has another size',
    remedy:
      'Put the file back from a copy of the directory, or restore an older checkpoint that is intact.',
  },
  formatUnknown: {
    code: 'TM1504',
    kind: 'user',
    title: 'a snapshot was written in a format this version does not know',
    remedy: 'Use the Tidemill version that wrote the snapshot, or a newer one.',
  },
  jobMismatch: {
    code: 'TM1505',
    kind: 'user',
    title: 'the state directory belongs to another job',
    remedy: 'Give every job a state directory of its own (--state), or rename the job back.',
  },
  planChanged: {
    code: 'TM1506',
    kind: 'user',
    title: 'the program does not fit the state of this checkpoint',
    remedy:
      'Undo the listed changes, or start the changed program with an empty state directory (--state).',
  },
  parametersChanged: {
    code: 'TM1507',
    kind: 'user',
    title: 'the job was started with other parameters than its checkpoint',
    remedy: 'Use the former values, or pass --accept-params when the change is intended.',
  },
  ledgerImbalance: {
    code: 'TM1508',
    kind: 'bug',
    title: 'the ledger of an epoch does not balance',
    remedy:
      'This is a bug in Tidemill: records are unaccounted for. The epoch was not committed. Please report it with this message.',
  },
  ownershipLost: {
    code: 'TM1509',
    kind: 'fatal',
    title: 'a newer owner has taken over the state directory',
    remedy:
      'Nothing to repair: this process stopped before it could publish. Make sure that only one process runs the job.',
  },
  attemptFailed: {
    code: 'TM1510',
    kind: 'transient',
    title: 'a checkpoint attempt failed',
    remedy:
      'The job goes on and tries again with a new epoch. If it keeps failing, look at the cause: disk space, a slow disk, a stuck operator.',
  },
  storageFailed: {
    code: 'TM1511',
    kind: 'transient',
    title: 'the checkpoint storage failed',
    remedy: 'Look at the cause. The job restarts from its last committed checkpoint.',
  },
  nameTaken: {
    code: 'TM1512',
    kind: 'fatal',
    title: 'a snapshot file of this name already exists',
    remedy:
      'Names are never reused, so another process writes to this directory. Make sure that only one does.',
  },
  maxParallelismChanged: {
    code: 'TM1513',
    kind: 'user',
    title: 'the max parallelism differs from the one the state was born with',
    remedy: 'Set maxParallelism back to the stored value, or start with an empty state directory.',
  },
  commitFailed: {
    code: 'TM1514',
    kind: 'transient',
    title: 'a published epoch could not be committed by its sinks',
    remedy: 'Look at the cause. The epoch is safe: the job restarts from it and commits it again.',
  },
  sealCorrupt: {
    code: 'TM1515',
    kind: 'fatal',
    title: 'an ownership record does not verify',
    remedy:
      'Run "tidemill snapshot check" on the directory. The record says which checkpoints are valid, so it is not skipped.',
  },
  noSnapshot: {
    code: 'TM1516',
    kind: 'user',
    title: 'there is no snapshot at this place',
    remedy: 'Name a state directory, or a snapshot directory, that holds a ".manifest" file.',
  },
  tooManyFailures: {
    code: 'TM1517',
    kind: 'transient',
    title: 'too many checkpoints failed in a row',
    remedy: 'Look at the cause of the last one. The limit is the option failuresMax.',
  },
  optionInvalid: {
    code: 'TM1518',
    kind: 'user',
    title: 'a checkpoint option is out of its range',
    remedy: 'Correct the option named here.',
  },
})
