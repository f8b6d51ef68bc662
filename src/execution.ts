/**
 * Which executor the `pipeline` of the package's entry point runs on. Kept apart from the entry point so that it is the
 * one place where plans and the runtime meet.
 */
import type { JobExecutor } from './graph/executor.ts'

/** Absent until a runtime is linked in; pipelines can then be planned and explained, and `run` says TM1358. */
export const defaultExecutor: JobExecutor | undefined = undefined
