/** Parameters of a job: what may differ between runs of one program. */
import { TidemillError } from '../base/errors.ts'
import { currentHost } from '../graph/host.ts'
import { wrongArgument, typeName } from './arguments.ts'
import { streamErrors } from './errors.ts'

/**
 * The value of `--param name=value`, or `fallback`. Parameters are kept with the job's checkpoints but are no part of
 * its fingerprint; a restart with other values is refused unless the command line accepts them.
 *
 * Errors: TM1355 when there is no value and no fallback.
 *
 * @example
 * ```ts
 * import { param, pipeline, type Sink, type Source } from 'tidemill'
 * declare function lines(path: string): Source<string>
 * declare const sink: Sink<string>
 * pipeline('copy').from('orders', lines(param('input'))).to('orders', sink)
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function param(name: string, fallback?: string): string {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw wrongArgument(
      `param got ${typeof name === 'string' ? JSON.stringify(name) : typeName(name)}, expected a name of letters, digits, dots and hyphens`,
    )
  }
  const value = currentHost()?.params.get(name) ?? fallback
  if (value === undefined) {
    throw new TidemillError(streamErrors.parameterMissing, {
      message: `--param ${name}=…`,
      details: { parameter: name },
    })
  }
  return value
}
