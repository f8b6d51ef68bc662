import { expect, test } from 'vitest'
import { DiskError } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { isDiskFull } from '../runtime/after-failure.ts'
import { runtimeErrors } from '../runtime/errors.ts'
import { receiveError, sendError } from './sent-error.ts'

const cross = (error: unknown): Error => receiveError(structuredClone(sendError(error)))

test('an error keeps code, kind, details and causes when it crosses threads', () => {
  const cause = new Error('why', { cause: 'text' })
  const sent = new TidemillError(runtimeErrors.userFunction, {
    message: 'so',
    details: { operator: 'map' },
    cause,
  })
  const received = cross(sent)
  expect(isTidemillError(received) && received.code).toBe('TM1901')
  expect(received).toMatchObject({
    message: sent.message,
    kind: 'user',
    details: { operator: 'map' },
    remedy: sent.remedy,
    stack: sent.stack,
    cause: { message: 'why', cause: { message: 'thrown value: text' } },
  })
})

test('a full disk in a worker thread is one in the main thread', () => {
  const full = new DiskError('ENOSPC', '/state/x', 'pwrite failed')
  expect(cross(full)).toMatchObject({ errno: 'ENOSPC', path: '/state/x', message: full.message })
  expect(isDiskFull(cross(full))).toBe(true)
  expect(isDiskFull(cross(new Error('reading', { cause: full })))).toBe(true)
  expect(cross(null)).toMatchObject({ message: 'thrown value: null' })
})
