/** The host-neutral globals the engine may use; browsers, Node and other hosts all have them. */

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, target: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string
}

/** ES2024; in every host that has shared memory for threads. */
interface Atomics {
  waitAsync(
    words: Int32Array<SharedArrayBuffer>,
    index: number,
    value: number,
    timeoutMs?: number,
  ):
    | { readonly async: false; readonly value: 'not-equal' | 'timed-out' }
    | { readonly async: true; readonly value: Promise<'ok' | 'timed-out'> }
}
