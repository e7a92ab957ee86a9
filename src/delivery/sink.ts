/**
 * The sink's port: where a stream's bytes go.
 *
 * Bytes written arrive whole and in order, or the sink closes. `write` never waits and never refuses: the answer says whether
 * the reader keeps up. A writer that goes on after `false` makes the sink hold more, so nobody does: the subscription goes back
 * to its cursor and reads on when `onReady` calls. What is held is then at most the high-water mark and one flush.
 */
export interface Sink {
  /** How the bytes must be framed: `chunked` (RFC 9112 section 7.1) where the sink is the bare connection. */
  readonly framing: Framing;
  /** Writes; `false` when what waits to be sent has passed the high-water mark. After the end it does nothing. */
  write(bytes: Uint8Array): boolean;
  /** Whether the last write left room. */
  readonly ready: boolean;
  /** Ends the stream after what was written. */
  end(): void;
  /** Called when room is made after a `write` that answered `false`. */
  onReady: (() => void) | undefined;
  /** Called once when the reader has gone or the stream has ended, whoever ended it. */
  onClose: (() => void) | undefined;
}

export type Framing = 'none' | 'chunked';

/** What waits to be sent beyond this many bytes makes a reader slow. */
export const HIGH_WATER_BYTES = 256 * 1024;
