/**
 * Messages between subtasks of one process. Nothing of this is stored, so it has no version.
 *
 *   u32 kind | flags << 8, u32 rows, u32 frames, u32 bytes of new shapes; then, each padded to a multiple of 8:
 *   new shapes   JSON: [[number, form], ...], those whose rows come for the first time on this channel
 *   frames       u32 number of the shape, u32 lane, u32 bytes, u32 zero, and the frame; the frames of a lane in order
 *   order        with more than one frame: per row the number of its lane, one byte
 *   times        doubles, one for all rows when the flag SAME_TIMES is set
 *   marks        doubles, the same with SAME_MARKS
 *   hashes       i32 per row, with KEYS
 *   keys         with KEYS: doubles; with TEXT_KEYS u32 bytes, three zeros, rows + 1 ends (i32, in UTF-16 units) and UTF-8;
 *                with MIXED_KEYS u32 bytes, three zeros and one self-describing value per row
 * With PARTIAL the rows are partial accumulators: `n`, the rows that one stands for, then `a0`, `a1`, ...
 *
 * A message of another kind is the head and one double: the watermark or the epoch.
 */
export const kinds = { rows: 1, watermark: 2, idle: 3, barrier: 4, end: 5 } as const

export const SAME_TIMES = 1
export const SAME_MARKS = 2
export const KEYS = 4
export const TEXT_KEYS = 8
export const MIXED_KEYS = 16
/** The rows are partial accumulators. */
export const PARTIAL = 32

export const HEAD_BYTES = 16
export const FRAME_HEAD_BYTES = 16
