/** The entry point of `npm run bench`. */
import { main } from './dispatch.ts'

process.exitCode = await main(process.argv.slice(2))
