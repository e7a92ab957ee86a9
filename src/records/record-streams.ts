/** Streams of collections: which subscription a reader gets, by who they are and what they ask for. */
import type { Broker, SubscribeRequest, Subscription } from '../broker/broker.ts';
import { subscribeOne } from '../broker/subscribe-one.ts';
import { type Cursor, viewEpoch } from '../protocol/cursor.ts';
import type { EventBatch } from '../protocol/event-batch.ts';
import { type Filter, formatFilter } from '../protocol/filter.ts';
import type { PostgresStore } from '../store/postgres/postgres-store.ts';
import { StoreUnavailable } from '../store/store.ts';
import { canonicalFilters } from './row-filter.ts';
import { rowSight } from './row-projection.ts';
import { RowView } from './row-view.ts';
import { scopeDifference } from './scope-difference.ts';
import type { StreamedCollection } from './streamed-collection.ts';
import { SucceedingSubscription } from './succeeding-subscription.ts';
import { viewInterest } from './view-interest.ts';
import { ViewReader } from './view-reader.ts';
import { createViewSource } from './view-source.ts';
import { startInLog, ViewSubscription } from './view-subscription.ts';
import { ViewTooLarge } from './view-too-large.ts';
import { type Caller, fingerprint } from './visibility.ts';

export interface RecordStreamsOptions {
  readonly broker: Broker;
  readonly store: PostgresStore;
  readonly collections: ReadonlyMap<string, StreamedCollection>;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
}

/** Views of one node, each of which holds the keys of its rows and asks the database about every change. */
const MAX_VIEWS = 20_000;
/** Projections whose batches are shared. */
const MAX_SHARED = 10_000;

export type StreamOutcome =
  | { readonly kind: 'subscribed'; readonly subscription: Subscription }
  /** The filter's field cannot be filtered by, or its value is none of the field's. */
  | { readonly kind: 'invalid-filter'; readonly field: string };

export class RecordStreams {
  readonly #options: RecordStreamsOptions;
  readonly #views = new Map<string, Promise<RowView>>();
  /** What the readers of each view share, by its projection's name. */
  readonly #batches = new Map<string, WeakMap<EventBatch, EventBatch>>();

  constructor(options: RecordStreamsOptions) {
    this.#options = options;
  }

  /** The field of a filter that cannot be filtered by, or cannot have its value; `undefined` when all is well. @throws StoreUnavailable */
  async misfit({ topic, filters = [] }: SubscribeRequest): Promise<string | undefined> {
    const streamed = this.#options.collections.get(topic);
    if (streamed === undefined) return undefined;
    const { collection, facts } = streamed;
    const canonical = await canonicalFilters(this.#options.store.database, collection, facts, filters);
    return canonical.ok ? undefined : canonical.field;
  }

  /**
   * @param before the reader's subscription under an earlier token: it is told what differs, where that can be known, and otherwise
   *   of a gap
   * @throws StoreUnavailable, ViewTooLarge
   */
  async subscribe(caller: Caller, request: SubscribeRequest, before?: Subscription): Promise<StreamOutcome> {
    const streamed = this.#options.collections.get(request.topic);
    if (streamed === undefined) throw new RangeError(`no collection ${request.topic}`);
    const { collection, facts, captures } = streamed;
    // Nobody is to read what would not go on.
    captures();
    const { database } = this.#options.store;
    const canonical = await canonicalFilters(database, collection, facts, request.filters ?? []);
    if (!canonical.ok) return { kind: 'invalid-filter', field: canonical.field };
    const subscription =
      collection.visibility.kind === 'rls'
        ? await this.#view(streamed, caller, canonical.filters, request, before)
        : await this.#project(streamed, caller, canonical.filters, request, before);
    return { kind: 'subscribed', subscription };
  }

  async close(): Promise<void> {
    const views = await Promise.allSettled(this.#views.values());
    for (const view of views) if (view.status === 'fulfilled') view.value.close();
  }

  async #project(
    streamed: StreamedCollection,
    caller: Caller,
    filters: readonly Filter[],
    request: SubscribeRequest,
    before: Subscription | undefined,
  ): Promise<Subscription> {
    const { topic, types = [] } = request;
    const view = fingerprint(streamed.collection.visibility, caller);
    const { projection, sees } = rowSight(streamed, caller, filters, view);
    const open = (start: SubscribeRequest['start']): Promise<Subscription> =>
      subscribeOne(this.#options.broker, { ...request, start, filters: [], projection });
    if (view === '*') return open(request.start);
    const batches = this.#sharedBatches(JSON.stringify([topic, projection?.name, types]));
    const follow = async (start: SubscribeRequest['start']) =>
      new ViewSubscription(await open(start), view, sees, batches);
    if (before instanceof ViewSubscription || before instanceof SucceedingSubscription) {
      const { store, onFault } = this.#options;
      const left = before instanceof ViewSubscription ? before : before.followed;
      return new SucceedingSubscription({
        topic,
        position: () => before.position,
        difference: async () =>
          left === undefined
            ? { end: await this.#end(topic), told: { kind: 'gap', reason: 'unknown-epoch' } }
            : scopeDifference(streamed, store, { from: left.left, saw: left.sees, sees, view }),
        follow: (cursor) => follow({ kind: 'cursor', cursors: [cursor] }),
        types,
        onFault,
      });
    }
    return follow(startInLog(request.start, (await this.#end(topic)).epoch, view));
  }

  #sharedBatches(name: string): WeakMap<EventBatch, EventBatch> {
    let batches = this.#batches.get(name);
    if (batches === undefined) {
      batches = new WeakMap();
      this.#batches.set(name, batches);
      // One that is forgotten while it is in use is only made twice.
      for (const oldest of this.#batches.keys()) {
        if (this.#batches.size > MAX_SHARED) this.#batches.delete(oldest);
        break;
      }
    }
    return batches;
  }

  /** The end of a topic's log. @throws StoreUnavailable */
  async #end(topic: string): Promise<Cursor> {
    const [range] = await this.#options.store.log.ranges([topic]);
    if (range === undefined) throw new StoreUnavailable('the log gave too few ranges');
    return { epoch: range.epoch, seq: range.latest };
  }

  async #view(
    { collection, facts, drained, captures }: StreamedCollection,
    caller: Caller,
    filters: readonly Filter[],
    { topic, start, types, conflate }: SubscribeRequest,
    before: Subscription | undefined,
  ): Promise<Subscription> {
    const { store, broker, now, onFault } = this.#options;
    const print = fingerprint(collection.visibility, caller);
    const name = JSON.stringify([topic, print, filters.map(formatFilter).sort()]);
    const open = () => {
      if (this.#views.size >= MAX_VIEWS) throw new ViewTooLarge(`more than ${MAX_VIEWS} views are read on this node`);
      // Its own entry only: another may have taken its place.
      const forget = () => {
        if (this.#views.get(name) === opening) this.#views.delete(name);
      };
      const view = new RowView({
        // The filters are no part of it: they choose among rows that the caller may see anyhow.
        view: print,
        source: createViewSource({
          collection,
          facts,
          caller,
          filters,
          store,
          drained,
          captures,
        }),
        interest: viewInterest(collection, facts, filters),
        broker,
        now,
        onFault,
        onEnd: forget,
      });
      const opening = view.load().then(() => view);
      this.#views.set(name, opening);
      // One that could not be read is tried again by whoever asks next.
      opening.catch(forget);
      return opening;
    };
    let view: RowView;
    // Its last reader may have left it just now.
    do view = await (this.#views.get(name) ?? open());
    while (view.closed);
    // Held from here on, so that it stays until the reader is in it, and ends if none comes.
    view.hold();
    try {
      const from = await this.#startOf(view, topic, start, print);
      return new ViewReader(view, from, types, conflate, before instanceof ViewReader ? before : undefined);
    } finally {
      view.release();
    }
  }

  /** Where a reader of a view stands; `undefined` for one that begins live. */
  async #startOf(
    view: RowView,
    topic: string,
    start: SubscribeRequest['start'],
    print: string,
  ): Promise<Cursor | undefined> {
    const { epoch, seq } = view.position;
    switch (start.kind) {
      case 'latest':
        return undefined;
      // History cannot be told as it was seen then: a gap says so, and the list has what there is.
      case 'earliest':
        return { epoch: viewEpoch('0000000000', print), seq: 0 };
      case 'last':
        return { epoch, seq: Math.max(0, seq - start.count) };
      case 'since':
        return { epoch, seq: (await this.#options.store.log.seek(topic, start.time)).seq };
      case 'cursor':
        return start.cursors.find((cursor) => cursor.epoch === epoch) ?? start.cursors[0];
    }
  }
}
