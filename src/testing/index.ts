/** The public testing kit, `tidemill/testing`. */
export { harness } from './harness/harness.ts'
export type { Harness, HarnessOptions, TimedHarnessOptions } from './harness/harness.ts'
export type { Build, TimedBuild } from './harness/plan.ts'
export type { HarnessSnapshot } from './harness/snapshot.ts'

export { exactlyOnce } from './simulate/check.ts'
export type { Check, CheckedRun, CommittedRows } from './simulate/check.ts'
export { simulate } from './simulate/simulate.ts'
export type { Faults, SimulateOptions, SimulationSummary } from './simulate/simulate.ts'
export type { App } from './simulate/user-job.ts'

export { verify } from './verify.ts'
export type { VerifyOptions } from './verify.ts'

export { checkpointStorageConformance } from './conformance/checkpoint-storage.ts'
export type { CheckpointStorageUnderTest } from './conformance/checkpoint-storage.ts'
export type { ConformanceHost } from './conformance/host.ts'
export { sinkConformance } from './conformance/sink.ts'
export type { SinkUnderTest } from './conformance/sink.ts'
export { sourceConformance } from './conformance/source.ts'
export type { SourceUnderTest } from './conformance/source.ts'
export { stateBackendConformance } from './conformance/state-backend.ts'
export type { StateBackendUnderTest } from './conformance/state-backend.ts'
