import { defineErrors } from '../base/errors.ts'

export const testingErrors = defineErrors({
  worldStuck: {
    code: 'TM2100',
    kind: 'bug',
    title: 'the simulated world has nothing left to do, but a process in it has not ended',
    remedy:
      'Something waits for an event that never comes, or for the real outside world, which does not exist in a simulation. ' +
      'The last events are in the cause.',
  },
  worldEndless: {
    code: 'TM2101',
    kind: 'bug',
    title: 'the simulated world ran past its limit of steps',
    remedy:
      'Look for a loop in the last events, which are in the cause. Raise `stepsMax` if the run is only long.',
  },
  worldIdle: {
    code: 'TM2102',
    kind: 'user',
    title: 'a simulated process acted while its world stood still',
    remedy:
      'Code under simulation woke up from something real (a timer, a file, a dynamic import). Use the env it was given, and ' +
      'await everything before the run ends.',
  },
  worldUse: {
    code: 'TM2103',
    kind: 'user',
    title: 'the simulated world was asked for something impossible',
    remedy: 'Correct the call named in the message.',
  },
  unreproducible: {
    code: 'TM2110',
    kind: 'user',
    title: 'a user function uses the real clock or real randomness',
    remedy:
      'Take time from `ctx.now()` or the record, and randomness from `ctx.random()`: a replay after a crash must give the same results.',
  },
  harnessUse: {
    code: 'TM2111',
    kind: 'user',
    title: 'the test harness was asked for something impossible',
    remedy: 'Correct the call named in the message.',
  },
  simulationFailed: {
    code: 'TM2112',
    kind: 'user',
    title: 'a simulated run broke a promise',
    remedy:
      'Replay the seed of the message alone. Look for state kept outside of `ctx.state`, time or randomness from outside, and sinks that repeat rows.',
  },
  unequalModes: {
    code: 'TM2113',
    kind: 'user',
    title: 'stream and batch mode give different results',
    remedy:
      'Look at the rows of the message. Usual causes: late records, which batch mode does not have, results that depend on the order of arrival, and processing time.',
  },
  simulationUse: {
    code: 'TM2114',
    kind: 'user',
    title: 'a job cannot be simulated or verified as asked',
    remedy: 'Correct the options named in the message.',
  },
})
