/**
 * A live query: the local copy of what one query sees, kept right by a list and the stream from there on. It runs while somebody listens.
 *
 * After a gap, the subscription is closed, the list read again, and a new subscription begun at its cursor: where the database decides on
 * visibility, the old one need not tell what came and went before the list (protocol section 6.6). What was known shows until then.
 */
import type { Mutation, MutationChange, Row } from '../mutation.ts';
import type { Request } from '../request.ts';
import type { Subscribe, Subscription, SubscriptionState } from '../subscription.ts';
import { admission } from './admission.ts';
import { type Listed, type ListQuery, readList } from './read-list.ts';
import { readRecordChange } from './record-change.ts';
import { filtersOfKey, type RecordFields } from './record-key.ts';
import { RecordReader } from './record-reader.ts';
import { RecordSet } from './record-set.ts';
import { type FieldOrders, rowOrder } from './row-order.ts';

export type QueryState =
  /** Nothing is known yet; what shows are the client's own writes. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'live' }
  /** What shows may be behind: the connection is to be made again, or the list to be read again. */
  | { readonly kind: 'waiting' }
  | Extract<SubscriptionState, { readonly kind: 'parked' | 'closed' }>
  /**
   * By a code of protocol section 7; or `unnamed`, when the records lack the fields that name them. It stays so until another token, or
   * `refresh`, changes that.
   */
  | { readonly kind: 'refused'; readonly code: string };

/** What a query shows. Immutable: the same object while nothing changes. */
export interface QuerySnapshot {
  /** In order; the same object for a row that does not change. */
  readonly rows: readonly Row[];
  readonly state: QueryState;
  /** Whether the query has more rows than its limit. */
  readonly more: boolean;
}

/** The writes of a client, of all tabs. */
export interface Mutations {
  /** Those that are kept now. */
  readonly all: Iterable<Mutation>;
  listen(listener: (change: MutationChange) => void): () => void;
  /** Told when a query has come to show an acknowledged write, or an answer that is still to come. May be told twice. */
  shown?(mutation: Mutation): void;
}

export interface QueryContext {
  readonly request: Request;
  readonly subscribe: Subscribe;
  readonly mutations: Mutations;
  /** How long to wait before the next try, in ms. @param attempt how many have failed: from 0 */
  readonly retryDelay: (attempt: number) => number;
  /** ms since whenever */
  readonly clock: () => number;
  /** Calls once after so many ms, unless the answer is called first. */
  readonly delay: (callback: () => void, ms: number) => () => void;
  /** Calls at the end of this turn. */
  readonly schedule: (callback: () => void) => void;
  /** Calls whenever a server that was not reached may be there again. @returns ends it */
  readonly onReturn?: ((listener: () => void) => () => void) | undefined;
}

export interface QueryPlan extends ListQuery, RecordFields {
  readonly fields?: FieldOrders | undefined;
}

/** How long a query runs on when nobody listens any more, in ms: React lets go and comes back when it mounts twice. */
export const LINGER_MS = 1000;
/** How long the stream may take to show an acknowledged write before the record is read, in ms. */
export const OVERDUE_MS = 2000;
/** So many rows are kept beyond those that are shown, at most, so that not every deletion makes the list be read again. */
const RESERVE = 500;
/** Records to be read one by one; beyond, the list is read instead. */
const MAX_READS = 100;
/** The most filters that a request may have. */
const MAX_FILTERS = 16;
/** Lists within so many ms of each other wait for longer and longer. */
const CALM_MS = 60_000;

const LOADING: QuerySnapshot = { rows: [], state: { kind: 'loading' }, more: false };

export class LiveQuery {
  readonly #plan: QueryPlan;
  readonly #context: QueryContext;
  readonly #onStop: (() => void) | undefined;
  readonly #listeners = new Set<{ readonly listener: () => void }>();
  #set: RecordSet;
  #snapshot = LOADING;
  #state: QueryState = LOADING.state;
  #stale = false;
  #flushing = false;
  #running = false;
  #abort = new AbortController();
  #subscription: Subscription | undefined;
  #unlisten: (() => void) | undefined;
  /** Cancel what is to be done later: stop, list again, read what is overdue. */
  #linger: (() => void) | undefined;
  #retry: (() => void) | undefined;
  #overdue: (() => void) | undefined;
  #attempt = 0;
  #listedAt = Number.NEGATIVE_INFINITY;
  #reader: RecordReader | undefined;

  /** @param onStop told when it has let go of everything; it begins anew when somebody listens again */
  constructor(plan: QueryPlan, context: QueryContext, onStop?: () => void) {
    this.#plan = plan;
    this.#context = context;
    this.#onStop = onStop;
    this.#set = this.#newSet();
  }

  /** Tells once a turn that {@link getSnapshot} or {@link pendingOf} have changed. @returns ends it; the last one stops the query, a moment later */
  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = { listener };
    this.#listeners.add(entry);
    this.#linger?.();
    if (!this.#running) this.#start();
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      this.#linger?.();
      this.#linger = this.#context.delay(() => this.#stop(), LINGER_MS);
    };
  };

  readonly getSnapshot = (): QuerySnapshot => {
    if (!this.#stale) return this.#snapshot;
    this.#stale = false;
    const { rows } = this.#set;
    this.#snapshot = { rows, state: this.#state, more: this.#set.more };
    return this.#snapshot;
  };

  /** Whether somebody listens, or did a moment ago. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** The writes of a record that the server's stream does not show yet, and those that it refused, until they are discarded. */
  pendingOf(key: string): readonly Mutation[] {
    return this.#set.pendingOf(key);
  }

  /** The version of a record that shows, but for writes without an answer; `undefined` when it is not here. */
  versionOf(key: string): number | undefined {
    return this.#set.versionOf(key);
  }

  /** Reads the list again, now; for instance after another token was given. */
  refresh(): void {
    if (!this.#running) return;
    this.#attempt = 0;
    this.#interrupt();
    void this.#list();
  }

  #newSet(): RecordSet {
    const { limit, filters, key, version, order, fields } = this.#plan;
    return new RecordSet({
      fields: { key, version },
      order: rowOrder(order, key, fields),
      limit,
      room: this.#room,
      admits: admission(filters),
      onShown: (mutation) => this.#context.mutations.shown?.(mutation),
    });
  }

  get #room(): number {
    return this.#plan.limit + Math.min(RESERVE, this.#plan.limit - 1);
  }

  #start(): void {
    this.#running = true;
    const { mutations } = this.#context;
    const take = (change: MutationChange) => {
      const { write } = change.mutation;
      if (write.kind === 'publish' || write.collection !== this.#plan.collection) return;
      this.#set.mutate(change);
      this.#expect();
      this.#changed();
    };
    this.#unlisten = mutations.listen(take);
    for (const mutation of mutations.all) take({ kind: 'changed', mutation });
    void this.#list();
  }

  #stop(): void {
    this.#running = false;
    this.#interrupt();
    this.#overdue?.();
    this.#overdue = undefined;
    this.#unlisten?.();
    this.#attempt = 0;
    this.#set = this.#newSet();
    this.#snapshot = LOADING;
    this.#state = LOADING.state;
    this.#stale = false;
    this.#onStop?.();
  }

  /** Ends whatever is on its way. */
  #interrupt(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#retry?.();
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** Reads the list anew, at once, or after a while if that is becoming a habit. */
  #relist(): void {
    this.#interrupt();
    if (this.#state.kind !== 'loading') this.#become({ kind: 'waiting' });
    if (this.#context.clock() - this.#listedAt > CALM_MS) this.#attempt = 0;
    this.#attempt += 1;
    if (this.#attempt === 1) void this.#list();
    else this.#listLater(this.#context.retryDelay(this.#attempt - 2));
  }

  /** @param hurry whether it is of use to try as soon as the server may be there again */
  #listLater(ms: number, hurry = false): void {
    const again = () => {
      this.#retry?.();
      void this.#list();
    };
    const cancel = this.#context.delay(again, ms);
    const unlisten = hurry ? this.#context.onReturn?.(again) : undefined;
    this.#retry = () => {
      cancel();
      unlisten?.();
    };
  }

  async #list(): Promise<void> {
    const { signal } = this.#abort;
    const { unshown } = this.#set;
    const listed = await readList(this.#context.request, { ...this.#plan, limit: this.#room }, signal);
    if (signal.aborted) return;
    if (listed.kind === 'failed') {
      if (this.#state.kind !== 'loading') this.#become({ kind: 'waiting' });
      const { retryAfter } = listed;
      this.#listLater(Math.max(retryAfter ?? 0, this.#context.retryDelay(this.#attempt)), retryAfter === undefined);
      this.#attempt += 1;
    } else if (listed.kind === 'refused') this.#become(listed);
    else if (!this.#set.swap(listed, unshown)) this.#become({ kind: 'refused', code: 'unnamed' });
    else this.#follow(listed);
  }

  #follow({ cursor }: Extract<Listed, { readonly kind: 'listed' }>): void {
    this.#listedAt = this.#context.clock();
    this.#expect();
    this.#become({ kind: 'waiting' });
    const { collection, filters } = this.#plan;
    this.#subscription = this.#context.subscribe(
      collection,
      { after: cursor, filter: filters },
      {
        onEvent: (event) => {
          const change = readRecordChange(event);
          if (change === undefined) return;
          if (change.kind === 'delete') this.#reader?.forget(change.key);
          if (this.#set.apply(change) === 'incomplete') this.#want([change.key]);
          this.#changed();
        },
        onGap: () => this.#relist(),
        onState: (state) => {
          if (state.kind === 'refused' && state.code === 'invalid-cursor') this.#relist();
          else this.#become(state);
        },
      },
    );
  }

  #become(state: QueryState): void {
    this.#state = state;
    this.#changed();
  }

  #changed(): void {
    this.#stale = true;
    if (this.#flushing) return;
    this.#flushing = true;
    this.#context.schedule(() => {
      this.#flushing = false;
      if (!this.#running) return;
      this.getSnapshot();
      if (this.#set.isShort && this.#subscription !== undefined) this.#relist();
      for (const { listener } of [...this.#listeners]) listener();
    });
  }

  /** Looks after a while whether the stream has shown what was acknowledged. */
  #expect(): void {
    if (this.#set.unshown.length === 0) return;
    this.#overdue ??= this.#context.delay(() => {
      this.#overdue = undefined;
      // A list that is on its way, or a try that is to come, will show it.
      if (this.#subscription === undefined) return;
      this.#want(this.#set.overdue());
      this.#expect();
      this.#changed();
    }, OVERDUE_MS);
  }

  /** Reads records. Where there are many, the list says it in fewer requests. */
  #want(keys: readonly string[]): void {
    const { retryDelay, delay } = this.#context;
    this.#reader ??= new RecordReader({ read: this.#reads(this.#abort.signal), retryDelay, delay });
    for (const key of keys) this.#reader.want(key);
    if (this.#reader.size > MAX_READS) this.#relist();
  }

  /** Reads by the query's own filters, so that a record that it does not see is not taken for one that it does. */
  #reads(signal: AbortSignal) {
    const { collection, filters } = this.#plan;
    return async (key: string) => {
      const { unshown } = this.#set;
      const only = [...filtersOfKey(key, this.#plan), ...filters].slice(0, MAX_FILTERS);
      const listed = await readList(this.#context.request, { collection, filters: only, limit: 1 }, signal);
      if (listed.kind === 'failed') return undefined;
      return () => {
        this.#set.look(key, listed.kind === 'listed' ? listed.rows[0] : undefined, unshown);
        this.#changed();
      };
    };
  }
}
