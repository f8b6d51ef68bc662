/**
 * Flink for `nexmark peer`: its jars from the cache, checked against the hashes in `../peer-flink/jars.txt`, and the
 * program compiled from `../peer-flink`. Maven fetches what the cache does not have; without Maven, without Java or
 * without a way to the jars the comparison goes on without Flink.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CACHE_FOLDER } from './jsonl.ts'
import type { PeerRequest } from './peer-systems.ts'

export interface Flink {
  readonly kind: 'ready'
  commandOf(request: PeerRequest): readonly string[]
}

interface NoFlink {
  readonly kind: 'missing'
  readonly reason: string
}

interface Jar {
  readonly name: string
  readonly sha256: string
}

const SOURCES = fileURLToPath(new URL('../peer-flink', import.meta.url))
const JARS = join(CACHE_FOLDER, 'peer-flink')
const CLASSES = join(CACHE_FOLDER, 'peer-flink-classes')
const FETCH_TIMEOUT_MS = 10 * 60_000

/** What Flink's own start script passes for Java 17, and a heap as large as the comparison allows. */
const JAVA_OPTIONS = [
  '-Xms4g',
  '-Xmx4g',
  '--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED',
  '--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/java.net=ALL-UNNAMED',
  '--add-opens=java.base/java.io=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/java.lang.reflect=ALL-UNNAMED',
  '--add-opens=java.base/java.text=ALL-UNNAMED',
  '--add-opens=java.base/java.time=ALL-UNNAMED',
  '--add-opens=java.base/java.util=ALL-UNNAMED',
  '--add-opens=java.base/java.util.concurrent=ALL-UNNAMED',
  '--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED',
  '--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED',
]

export function prepareFlink(): Flink | NoFlink {
  const jars = listedJars()
  const reason = withoutTools() ?? withoutJars(jars) ?? withoutClasses(jars)
  if (reason !== undefined) return { kind: 'missing', reason }
  const classPath = [CLASSES, ...jars.map(({ name }) => join(JARS, name))].join(':')
  return {
    kind: 'ready',
    commandOf: ({ query, path, events, warmupEvents, checkpointIntervalMs }) => [
      'java',
      ...JAVA_OPTIONS,
      '-cp',
      classPath,
      'tidemill.peer.Main',
      SOURCES,
      query,
      path,
      String(events),
      String(warmupEvents),
      String(checkpointIntervalMs),
    ],
  }
}

/** Lines of hash and name, as `sha256sum` prints them. */
function listedJars(): readonly Jar[] {
  const lines = readFileSync(join(SOURCES, 'jars.txt'), 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [sha256, name] = line.split(/\s+/)
    return sha256 && name ? [{ sha256, name }] : []
  })
}

function withoutTools(): string | undefined {
  for (const tool of ['java', 'javac']) {
    if (spawnSync(tool, ['-version']).status !== 0) return `there is no ${tool}`
  }
  return undefined
}

function withoutJars(jars: readonly Jar[]): string | undefined {
  if (jars.some(({ name }) => !existsSync(join(JARS, name)))) {
    const options = ['-q', '-B', '-f', join(SOURCES, 'pom.xml'), `-DoutputDirectory=${JARS}`]
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime']
    const { status } = spawnSync('mvn', [...options, ...goal], { timeout: FETCH_TIMEOUT_MS })
    if (status !== 0) return 'its jars are not in the cache, and mvn could not fetch them'
  }
  for (const { name, sha256 } of jars) {
    const path = join(JARS, name)
    if (!existsSync(path)) return `${name} is missing`
    const found = createHash('sha256').update(readFileSync(path)).digest('hex')
    if (found !== sha256) return `${name} has SHA-256 ${found}, not ${sha256}`
  }
  return undefined
}

function withoutClasses(jars: readonly Jar[]): string | undefined {
  mkdirSync(CLASSES, { recursive: true })
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.java'))
  const classPath = jars.map(({ name }) => join(JARS, name)).join(':')
  const files = sources.map((name) => join(SOURCES, name))
  const compiled = spawnSync('javac', ['-nowarn', '-cp', classPath, '-d', CLASSES, ...files], {
    encoding: 'utf8',
  })
  if (compiled.status !== 0) return `javac failed: ${compiled.stderr.trim()}`
  cpSync(join(SOURCES, 'META-INF'), join(CLASSES, 'META-INF'), { recursive: true })
  return undefined
}
