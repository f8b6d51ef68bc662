/**
 * Removal of old segments. Steps: 1 decide, 2 publish `start-<offset>` (`log.retain.recorded`), 3 unlink the segments and
 * older records (`log.retain.unlinked`). After step 2 the log starts there whatever happens; a writer that finds left-over
 * segments removes them. So a missing segment that no record speaks of is always damage, never retention.
 */
import type { Env } from '../base/env.ts'
import { removeIfPresent } from '../base/disk-io.ts'
import { encodeEnvelope, envelopeKind, publishFile } from './envelope.ts'
import { type PartitionPlace, retentionName } from './layout.ts'
import { indexPath } from './segment-index.ts'
import type { SealedSegment } from './writer.ts'

export interface RetentionReport {
  readonly startOffset: number
  readonly removedSegments: number
  readonly removedBytes: number
}

/** Removes what may go. `limit`: segments with an offset at or above it are kept. Takes them out of `sealed`. */
export async function applyRetention(
  env: Env,
  place: PartitionPlace,
  sealed: SealedSegment[],
  startOffset: number,
  limit: number,
  activeBytes: number,
): Promise<RetentionReport> {
  const count = expiredCount(env.clock.wallMs(), place, sealed, limit, activeBytes)
  if (count === 0) return { startOffset, removedSegments: 0, removedBytes: 0 }
  const newStart = sealed[count - 1]!.extent.to
  const record = { startOffset: newStart, recordedMs: env.clock.wallMs() }
  const bytes = encodeEnvelope(envelopeKind.retention, record, place.seed)
  await publishFile(env.disk, place.directory, retentionName(newStart), bytes)
  env.host.crashPoint('log.retain.recorded')
  let removedBytes = 0
  for (const { extent, index } of sealed.splice(0, count)) {
    removedBytes += index.dataBytes
    await removeIfPresent(env.disk, indexPath(extent.path))
    await removeIfPresent(env.disk, extent.path)
  }
  for (const name of await env.disk.list(place.directory)) {
    const isOlder = /^start-\d{20}$/.test(name) && name < retentionName(newStart)
    if (isOlder) await removeIfPresent(env.disk, `${place.directory}/${name}`)
  }
  await env.disk.syncDir(place.directory)
  env.host.crashPoint('log.retain.unlinked')
  return { startOffset: newStart, removedSegments: count, removedBytes }
}

/** How many of the oldest segments are too old or too much. */
function expiredCount(
  nowMs: number,
  place: PartitionPlace,
  sealed: readonly SealedSegment[],
  limit: number,
  activeBytes: number,
): number {
  const { ageMs, bytes: bytesMax } = place.topic.retention
  let bytes = activeBytes
  for (const { index } of sealed) bytes += index.dataBytes
  // Without an active segment the last sealed one carries the end of the log and its transactions.
  const removable = activeBytes > 0 ? sealed.length : sealed.length - 1
  let count = 0
  for (; count < removable; count++) {
    const { extent, index } = sealed[count]!
    const tooOld = ageMs !== undefined && nowMs - index.newestAppendMs > ageMs
    const tooMuch = bytesMax !== undefined && bytes > bytesMax
    if ((!tooOld && !tooMuch) || extent.to > limit) break
    bytes -= index.dataBytes
  }
  return count
}
