#!/usr/bin/env node
import { load, packageRoot } from './load.js'

const { main } = /** @type {{ main: (argv: readonly string[]) => Promise<number> }} */ (
  /** @type {unknown} */ (await load(packageRoot, 'cli/main'))
)
process.exitCode = await main(process.argv.slice(2))
