import { expect, test } from 'vitest'
import { callerLocation, outerLocation } from './location.ts'

const inside = 'at callerLocation (/app/node_modules/tidemill/dist/graph/location.js:9:24)'

test.each([
  [
    'V8',
    `Error\n    ${inside}\n    at PlanBuilder.add (/app/node_modules/tidemill/dist/graph/builder.js:1:2)\n    at build (/app/src/job.ts:12:4)`,
    '/app/src/job.ts:12:4',
  ],
  [
    'V8 at top level',
    `Error\n    ${inside}\n    at file:///app/my%20job.ts:3:1\n    at async run (node:internal:1:2)`,
    '/app/my job.ts:3:1',
  ],
  [
    'other engines',
    `callerLocation@/app/tidemill/graph/location.js:9:24\nadd@/app/tidemill/graph/builder.js:1:2\nbuild@/app/job.js:12:4`,
    '/app/job.js:12:4',
  ],
  [
    'Windows',
    `Error\n    at f (C:\\app\\tidemill\\graph\\location.js:9:24)\n    at g (C:\\app\\job.ts:7:2)`,
    'C:\\app\\job.ts:7:2',
  ],
  [
    'the merged package',
    `Error\n    at callerLocation (file:///app/dist/cli/engine-A7Q.js:9:24)\n    at from (file:///app/dist/index.js:1:2)\n    at file:///app/job.ts:7:2`,
    '/app/job.ts:7:2',
  ],
  ['a bundle', `Error\n    at a (/app/bundle.js:9:24)\n    at b (/app/bundle.js:12:4)`, undefined],
  ['nothing outside', `Error\n    ${inside}`, undefined],
  ['no stack', undefined, undefined],
])('the caller is found in a stack of %s', (_, stack, expected) => {
  expect(outerLocation(stack)).toBe(expected)
})

test('this file is the caller of a call in this file', () => {
  expect(callerLocation()).toMatch(/location\.test\.ts:\d+:\d+$/)
})
