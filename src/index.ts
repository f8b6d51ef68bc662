/** The public root: every name a job module imports from `tidemill`. */
import { defaultExecutor } from './execution.ts'
import { type Pipeline, type PipelineOptions, pipelineOn } from './stream/pipeline.ts'

/**
 * Begins a job. Everything is built with methods of the result and the streams they return; nothing runs before
 * `run()` or `start()`.
 *
 * Errors: TM1300 for the name, TM1313 for an option.
 *
 * @example
 * ```ts
 * import { pipeline, type Sink, type Source } from 'tidemill'
 * declare const book: Source<string>
 * declare const print: Sink<object>
 * const app = pipeline('word-count')
 * app
 *   .from('book', book)
 *   .flatMap((line) => line.toLowerCase().split(/\W+/))
 *   .keyBy((word) => word)
 *   .count('words')
 *   .to('print', print)
 * await app.run()
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export const pipeline: (name: string, options?: PipelineOptions) => Pipeline =
  pipelineOn(defaultExecutor)

export type { Pipeline, PipelineOptions }

// Time
export { days, hours, milliseconds, minutes, seconds, timestamp } from './base/time.ts'
export type { Duration, Timestamp } from './base/time.ts'

// Errors
export { isTidemillError, TidemillError } from './base/errors.ts'
export type { ErrorCode, ErrorDetails, ErrorKind } from './base/errors.ts'

// Running jobs
export type {
  Job,
  JobExecutor,
  JobResult,
  RecordCounts,
  RunOptions,
  StartOptions,
} from './graph/executor.ts'
export { param } from './stream/params.ts'
export { expr, lit } from './stream/expressions.ts'
export type {
  AnyOperations,
  BooleanOperations,
  Columns,
  ExpressionFor,
  NumberOperations,
  Operand,
  Selected,
  TextOperations,
  ValueExpression,
} from './stream/expression-types.ts'

// Plans
export { diffPlans } from './graph/diff.ts'
export type { PlanDifference } from './graph/diff.ts'
export { explainText } from './graph/explain.ts'
export { planJson } from './graph/plan-json.ts'
export type { PlanJson } from './graph/plan-json.ts'
export type { Plan } from './graph/plan.ts'

// Streams
export type {
  Change,
  ChangeStream,
  KeyedStream,
  ProcessingTimeWindowedStream,
  RowOf,
  ParallelismOptions,
  RowOptions,
  SinkFor,
  StepOptions,
  Stream,
  UpdatingWindowedStream,
  WindowedStream,
  WindowKey,
  WithLate,
  WithLateChanges,
  WithRejected,
} from './stream/types.ts'
export type { Late, Letter, Rejected, RejectionCause } from './graph/letters.ts'

// Keyed steps
export {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  sortedMapState,
  valueState,
} from './stream/state.ts'
export type { AggregatingFunctions, StateOptions } from './stream/state.ts'
export type {
  EventTime,
  OutputSpec,
  ProcessContext,
  ProcessSpec,
  StateDescriptor,
  StateSpec,
  TimeMode,
  TimerSpec,
} from './stream/process-types.ts'
export type {
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  SortedMapState,
  TimerControl,
  ValueState,
} from './graph/process.ts'

// Windows and aggregates
export { session, sliding, tumbling, tumblingProcessingTime } from './stream/window-assigners.ts'
export type {
  AlignmentOptions,
  EventTimeWindow,
  ProcessingTimeWindow,
  QuietOptions,
  TimeWindow,
} from './stream/window-assigners.ts'
export {
  aggregate,
  count,
  countDistinct,
  max,
  mean,
  min,
  quantile,
  sum,
} from './stream/aggregates.ts'
export type { AggregateFunctions, QuantileOptions } from './stream/aggregates.ts'
export type {
  Aggregate,
  AggregateResults,
  CountOptions,
  WhereOptions,
} from './stream/aggregate-types.ts'

// Schemas and codecs
export { list, map, optional } from './schema/collections.ts'
export { json } from './schema/json.ts'
export type { JsonCodec, StandardIssue, StandardOutcome, StandardValidator } from './schema/json.ts'
export type { JsonValue } from './schema/dynamic.ts'
export {
  bool,
  bytes,
  date,
  decimal,
  float,
  instant,
  int,
  int64,
  jsonValue,
  literals,
  text,
} from './schema/scalars.ts'
export type { TypeOf } from './schema/schema.ts'
export { field, struct } from './schema/struct.ts'
export type { Field, Fields, StructOf, StructSchema } from './schema/struct.ts'
export type { Codec, Key, KeyAtom, Schema } from './schema/types.ts'
export { variant } from './schema/variant.ts'
export type { Cases, VariantOf, VariantSchema } from './schema/variant.ts'

// Contracts of sources and sinks
export { discard, forEach, stdout } from './connectors/at-least-once.ts'
export type { StdoutOptions } from './connectors/at-least-once.ts'
export type {
  FrameBatch,
  PartitionId,
  PartitionReader,
  Position,
  PreparedEpoch,
  RejectedInput,
  RowBatch,
  Sink,
  SinkContext,
  SinkCounts,
  SinkGuarantee,
  SinkWriter,
  Source,
  SourceBatch,
  SourceContext,
  SourceHandle,
} from './connectors/contract.ts'
export { datagen } from './connectors/datagen.ts'
export type { DatagenOptions } from './connectors/datagen.ts'
export { deadLetters } from './connectors/dead-letters.ts'
export type { DeadLettersOptions } from './connectors/dead-letters.ts'
export { fileSink } from './connectors/file-sink/file-sink.ts'
export type { FileSinkOptions } from './connectors/file-sink/file-sink.ts'
export { csv } from './connectors/file/csv.ts'
export type { CsvOptions, CsvRow } from './connectors/file/csv.ts'
export { jsonLines } from './connectors/file/json-lines.ts'
export { lines } from './connectors/file/lines.ts'
export type { LinesOptions, LocatedLine } from './connectors/file/lines.ts'
export { files } from './connectors/file/paths.ts'
export type { FilePaths } from './connectors/file/paths.ts'
export type { RecordOptions } from './connectors/file/record-reader.ts'
export { logSink, logSource } from './connectors/log/log-topic.ts'
export type { LogSinkOptions, LogSourceOptions, LogTopicOptions } from './connectors/log/options.ts'
export { memorySink } from './connectors/memory/memory-sink.ts'
export type { MemorySink } from './connectors/memory/memory-sink.ts'
export { memoryFrames, memorySource } from './connectors/memory/memory-source.ts'
export type { MemoryFramesOptions, MemorySourceOptions } from './connectors/memory/memory-source.ts'
