/**
 * The audit's port: who read what, from when to when.
 *
 * **Order.** Entries are read newest first: by when the reading began, and of one moment the last written first.
 * **Once.** An entry has a `ref` that its writer made up, unlike any other's: written again, it changes nothing. So a write whose
 * outcome is not known can be repeated.
 * **Ends.** A reading that goes on has no `until`. It gets one when it ends; what ended in a crash never does.
 * **Limits.** `read` answers with at most `limit` entries. A store in memory keeps a bounded number, and the oldest go first.
 */

/** How it was read; `lost` is no reading, but says how many entries were dropped before they could be written. */
export type AccessKind = 'stream' | 'page' | 'list' | 'record' | 'history' | 'lost';

/** One reading of one topic or collection, or one loss. */
export interface Access {
  /** A UUID. */
  readonly ref: string;
  /** The node that served it, or lost it. */
  readonly node: string;
  readonly kind: AccessKind;
  /** The topic or collection; `null` of a loss. */
  readonly name: string | null;
  /** The record's key, where one record was read. */
  readonly key: string | null;
  /** `null` for somebody without a token. */
  readonly sub: string | null;
  readonly role: string | null;
  /** Where the request came from; `null` where the runtime did not say. */
  readonly address: string | null;
  /** The request's id. */
  readonly request: string | null;
  /** ms since 1970 */
  readonly since: number;
  /** ms since 1970; `null` while it goes on */
  readonly until: number | null;
  /** Of a loss, how many entries. */
  readonly count: number | null;
}

export interface StoredAccess extends Access {
  /** Its place among entries of the same `since`. */
  readonly id: number;
}

/** The end of a reading. */
export interface AccessEnd {
  readonly ref: string;
  /** ms since 1970 */
  readonly until: number;
}

/** Which entries are asked about: those that fit every member. */
export interface AccessQuery {
  readonly name?: string | undefined;
  readonly sub?: string | undefined;
  /** Only what went on at or after this, ms since 1970. */
  readonly since?: number | undefined;
  /** Only what began before this, ms since 1970. */
  readonly until?: number | undefined;
  /** Only what comes after this entry of an earlier answer. */
  readonly after?: { readonly since: number; readonly id: number } | undefined;
  readonly limit: number;
}

export interface AuditStore {
  /** Writes entries, all or none. @throws StoreUnavailable when they may or may not have been written */
  begin(entries: readonly Access[]): Promise<void>;
  /** Says when readings ended. Those that are not there are passed over. @throws StoreUnavailable */
  end(ends: readonly AccessEnd[]): Promise<void>;
  /** @throws StoreUnavailable */
  read(query: AccessQuery): Promise<readonly StoredAccess[]>;
  /**
   * Forgets what ended before `before` (ms since 1970), and what never ended and began before it.
   * @returns how many entries were let go
   * @throws StoreUnavailable
   */
  prune(before: number): Promise<number>;
}
