/**
 * `npm run bench -- <command>`: the benchmarks of this repository. Exit codes: 0 all held, 1 something did not, 2 the
 * command line was not understood.
 */
import { UsageError } from './nexmark/arguments.ts'

const usage = `Usage: npm run bench -- <command> [options]

  nexmark correct   results of the Nexmark queries against the right ones
  nexmark chaos     the same from processes and threads that end at random moments, with 1 to 4 workers
  nexmark recover   another name of chaos
  nexmark speed     throughput against hand-written loops
  nexmark scale     two workers against one
  nexmark peer      throughput against Flink and against plain JavaScript, on the same file
  latency           from the instant an event is due to its result, at a fixed rate
  grow              memory and CPU time as keys, windows and age grow
  checkpoint        what checkpoints cost, how long they take, how much they write
  recovery          from SIGKILL to the first result, by size of the state
  backpressure      a sink that is slower than its source
  micro             single properties of the engine against their bars

Add --help to a command for its options, --json for one JSON object a line, which some print anyway.`

type Command = (args: readonly string[]) => Promise<number>

interface Entry {
  readonly usage: string
  readonly run: Command
}

export async function main(argv: readonly string[]): Promise<number> {
  const [first, second] = argv
  const words = first === 'nexmark' ? 2 : 1
  const name = argv.slice(0, words).join(' ')
  const args = argv.slice(words)
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    console.log(usage)
    return first === undefined ? 2 : 0
  }
  try {
    const entry = await find(name, second)
    if (args.includes('--help') || args.includes('-h')) {
      console.log(entry.usage)
      return 0
    }
    return await runWithUsage(entry, args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    return 2
  }
}

/** Commands are loaded when they run: none needs what the others import. */
async function find(name: string, second: string | undefined): Promise<Entry> {
  switch (name) {
    case 'nexmark correct': {
      const { correctCommand, correctUsage } = await import('./nexmark/correct.ts')
      return { usage: correctUsage, run: correctCommand }
    }
    case 'nexmark recover':
    case 'nexmark chaos': {
      const { chaosCommand, chaosUsage } = await import('./nexmark/chaos.ts')
      return { usage: chaosUsage, run: chaosCommand }
    }
    case 'nexmark speed': {
      const { speedCommand, speedUsage } = await import('./nexmark/speed.ts')
      return { usage: speedUsage, run: speedCommand }
    }
    case 'nexmark scale': {
      const { scaleCommand, scaleUsage } = await import('./nexmark/scale.ts')
      return { usage: scaleUsage, run: scaleCommand }
    }
    case 'nexmark peer': {
      const { peerCommand, peerUsage } = await import('./nexmark/peer.ts')
      return { usage: peerUsage, run: peerCommand }
    }
    case 'grow': {
      const { growCommand, growUsage } = await import('./metrics/grow.ts')
      return { usage: growUsage, run: growCommand }
    }
    case 'checkpoint': {
      const { checkpointCommand, checkpointUsage } = await import('./metrics/checkpoint.ts')
      return { usage: checkpointUsage, run: checkpointCommand }
    }
    case 'latency': {
      const { latencyCommand, latencyUsage } = await import('./metrics/latency.ts')
      return { usage: latencyUsage, run: latencyCommand }
    }
    case 'recovery': {
      const { recoveryCommand, recoveryUsage } = await import('./metrics/recovery.ts')
      return { usage: recoveryUsage, run: recoveryCommand }
    }
    case 'backpressure': {
      const { backpressureCommand, backpressureUsage } = await import('./metrics/backpressure.ts')
      return { usage: backpressureUsage, run: backpressureCommand }
    }
    case 'micro': {
      const { microCommand, microUsage } = await import('./micro/run.ts')
      return { usage: microUsage, run: microCommand }
    }
    default: {
      const what =
        second === undefined && name === 'nexmark'
          ? 'nexmark needs correct, chaos, speed, scale or peer'
          : `there is no command "${name}"`
      throw new UsageError(`${what}\n\n${usage}`)
    }
  }
}

async function runWithUsage(entry: Entry, args: readonly string[]): Promise<number> {
  try {
    return await entry.run(args)
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message}\n\n${entry.usage}`)
    throw error
  }
}
