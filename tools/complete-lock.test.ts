import { describe, expect, it } from 'vitest'
import { missingBuilds } from './complete-lock.ts'

const parent = (optionalDependencies: Record<string, string>, more: object = {}) => ({
  'node_modules/@x/tool': { version: '1.2.3', dev: true, optionalDependencies },
  ...more,
})

describe('builds for other platforms', () => {
  it('are added with the platform their name tells', () => {
    const packages = parent({ '@x/tool-linux-arm64-musl': '1.2.3', '@x/tool-darwin-x64': '1.2.3' })
    expect(missingBuilds({ packages })).toEqual({
      'node_modules/@x/tool-linux-arm64-musl': {
        version: '1.2.3',
        os: ['linux'],
        cpu: ['arm64'],
        libc: ['musl'],
        optional: true,
        dev: true,
      },
      'node_modules/@x/tool-darwin-x64': {
        version: '1.2.3',
        os: ['darwin'],
        cpu: ['x64'],
        optional: true,
        dev: true,
      },
    })
  })

  it('are left alone when held, when no platform shows or when the version is a range', () => {
    const packages = parent(
      { '@x/tool-win32-x64': '1.2.3', fsevents: '2.3.3', '@x/tool-android-arm': '^1.0.0' },
      { 'node_modules/@x/tool-win32-x64': { version: '1.2.3' } },
    )
    expect(missingBuilds({ packages })).toEqual({})
  })
})
