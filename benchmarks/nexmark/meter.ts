/** CPU and wall time of a run, section by section; what happens between sections does not count. */
import { cpuUsage } from 'node:process'

export interface Section {
  readonly userMs: number
  readonly sysMs: number
  readonly wallMs: number
  /** When it began, on the clock of `performance.now()`. */
  readonly beganMs: number
}

export class Meter {
  readonly sections: Section[] = []
  #cpu: NodeJS.CpuUsage = { user: 0, system: 0 }
  #beganMs: number = Number.NaN

  begin(): void {
    this.#beganMs = performance.now()
    this.#cpu = cpuUsage()
  }

  end(): void {
    const { user, system } = cpuUsage(this.#cpu)
    const beganMs = this.#beganMs
    const wallMs = performance.now() - beganMs
    this.sections.push({ userMs: user / 1000, sysMs: system / 1000, wallMs, beganMs })
  }

  /** The sections that count: all but the first fifth, which warm up. */
  timed(): readonly Section[] {
    return this.sections.slice(Math.ceil(this.sections.length / 5))
  }
}

export function cpuMs(sections: readonly Section[]): number {
  return sections.reduce((sum, { userMs, sysMs }) => sum + userMs + sysMs, 0)
}
