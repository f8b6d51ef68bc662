/** A broken promise, as the oracle that noticed it tells it. */
export interface Violation {
  /** Number of the oracle, e.g. `O12`. */
  readonly oracle: string
  /** What is wrong, in a few words. */
  readonly title: string
  readonly message: string
}
