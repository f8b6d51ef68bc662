/** Subtasks in the caller's thread: tests, embedded jobs, simulations. */
import type { Env } from '../base/env.ts'
import { createBufferPool } from '../checkpoint/buffer-pool.ts'
import { directoryStorage } from '../checkpoint/directory-storage.ts'
import { checkpointDirectory } from '../checkpoint/state-directory.ts'
import { deadLetters } from '../connectors/dead-letters.ts'
import type { SubtaskLinks } from '../exchange/contract.ts'
import { createLocalMesh, type LocalMesh } from '../exchange/local-mesh.ts'
import type { Plan } from '../graph/plan.ts'
import { alignmentGroups } from './alignment.ts'
import type { SubtaskCallbacks, SubtaskHandle, SubtaskHost, SubtaskSpec } from './job.ts'
import { Slice } from './slice.ts'
import { stagesOf } from './stages.ts'

export interface InlineHostOptions {
  /** Bytes that a channel between two subtasks holds before its sender has to wait. Default 1 MiB. */
  readonly queueBytes?: number
}

export function inlineHost(env: Env, plan: Plan, options: InlineHostOptions = {}): SubtaskHost {
  let mesh: { readonly generation: number; readonly local: LocalMesh } | undefined
  const linksOf = ({ generation, subtask, subtasks }: SubtaskSpec): SubtaskLinks | undefined => {
    if (subtasks === 1) return undefined
    if (mesh?.generation !== generation) {
      const exchanges = stagesOf(plan, subtasks).exchanges.length
      const later = (run: () => void): void => void env.tasks.yield().then(run)
      const groups = alignmentGroups(plan).length
      const wanted = { ...options, exchanges, subtasks, groups, later }
      mesh = { generation, local: createLocalMesh(wanted) }
    }
    return mesh.local.links(subtask)
  }
  return {
    start: (spec, callbacks) => new InlineSubtask(env, plan, spec, linksOf(spec), callbacks),
  }
}

class InlineSubtask implements SubtaskHandle {
  #slice: Slice | undefined
  #stopped = false
  readonly #early: Parameters<SubtaskHandle['send']>[0][] = []
  readonly #done: Promise<void>

  constructor(
    env: Env,
    plan: Plan,
    spec: SubtaskSpec,
    links: SubtaskLinks | undefined,
    callbacks: SubtaskCallbacks,
  ) {
    this.#done = this.#run(env, plan, spec, links, callbacks)
  }

  send(message: Parameters<SubtaskHandle['send']>[0]): void {
    if (this.#slice === undefined) this.#early.push(message)
    else this.#slice.send(message)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#slice?.stop()
    await this.#done
  }

  progress(): ReturnType<SubtaskHandle['progress']> {
    return this.#slice?.progress()
  }

  async #run(
    env: Env,
    plan: Plan,
    spec: SubtaskSpec,
    links: SubtaskLinks | undefined,
    callbacks: SubtaskCallbacks,
  ): Promise<void> {
    try {
      const storage = await directoryStorage(env, checkpointDirectory(spec.stateDirectory))
      if (this.#stopped) return
      this.#slice = new Slice({
        env,
        plan,
        mode: spec.mode,
        subtask: spec.subtask,
        subtasks: spec.subtasks,
        generation: spec.generation,
        stateDirectory: spec.stateDirectory,
        storage,
        pool: createBufferPool(),
        deadLetters: deadLetters(),
        manifest: spec.manifest,
        ...(spec.arriving === true ? { arriving: true } : {}),
        links,
        report: (report) => callbacks.report(report),
        failed: (error) => callbacks.failed(error),
      })
      for (const message of this.#early) this.#slice.send(message)
    } catch (error) {
      callbacks.failed(error)
      return
    }
    await this.#slice.run()
  }
}
