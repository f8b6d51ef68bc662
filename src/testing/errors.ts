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
})
