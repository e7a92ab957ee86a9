/** A server with one collection, and an outbox, both of which do only what a test tells them to. */

import { type Mutation, mutationKey, mutationOf, type Row, type Write } from '../../../src/client/mutation.ts';
import type { QueryContext } from '../../../src/client/records/live-query.ts';
import type { Answer, Request } from '../../../src/client/request.ts';
import type {
  MissingEvents,
  Subscribe,
  SubscribeOptions,
  Subscription,
  SubscriptionObserver,
  SubscriptionState,
} from '../../../src/client/subscription.ts';
import type { Event } from '../../../src/protocol/event.ts';
import { compileFilters, parseFilter } from '../../../src/protocol/filter.ts';
import { type ProblemCode, problem } from '../../../src/protocol/problem.ts';

export interface Logged {
  readonly seq: number;
  readonly key: string;
  readonly old: Row | undefined;
  readonly new: Row | undefined;
  readonly mutation: string | undefined;
  readonly omitted?: readonly string[];
}

type Sees = (row: Row | undefined) => boolean;

export function seesOf(filter: string | readonly string[] | undefined): Sees {
  const filters = (typeof filter === 'string' ? [filter] : (filter ?? [])).map((text) => parseFilter(text)!);
  const test = compileFilters(filters);
  return (row) => row !== undefined && test(row);
}

/** A request that waits for its answer. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Computed by the server, not yet with the client. */
  answer?: Answer;
  readonly isAborted: boolean;
  resolve(answer: Answer): void;
}

export class FakeStream {
  position: number;
  isOpen = true;
  isBroken = false;
  #isLive = false;
  readonly options: SubscribeOptions;
  readonly observer: SubscriptionObserver<any>;
  readonly #server: FakeServer;
  readonly #sees: Sees;

  constructor(server: FakeServer, options: SubscribeOptions, observer: SubscriptionObserver<any>) {
    this.#server = server;
    this.options = options;
    this.observer = observer;
    this.#sees = seesOf(options.filter);
    this.position = options.after === undefined ? server.log.length : Number(options.after);
  }

  /** Delivers the next change, or that there is none. @returns what it was */
  next(): Logged | undefined {
    if (!this.isOpen || this.isBroken) return undefined;
    const logged = this.#server.log[this.position];
    if (logged === undefined) {
      if (!this.#isLive) this.become({ kind: 'live' });
      this.#isLive = true;
      return undefined;
    }
    this.position += 1;
    const event = eventOf(logged, this.#sees);
    if (event !== undefined) this.observer.onEvent?.(event);
    return logged;
  }

  all(): void {
    while (this.next() !== undefined);
  }

  /** Loses all that was not delivered. */
  gap(): void {
    if (!this.isOpen) return;
    this.isBroken = true;
    const cursor = String(this.position);
    const gap: MissingEvents = { topic: 'things', requested: cursor, oldest: cursor, latest: cursor, reason: 'lagged' };
    this.observer.onGap?.(gap);
  }

  become(state: SubscriptionState): void {
    if (this.isOpen) this.observer.onState?.(state);
  }
}

function eventOf({ seq, key, old, new: row, mutation, omitted = [] }: Logged, sees: Sees): Event | undefined {
  const event = {
    id: String(seq),
    topic: 'things',
    time: '2026-01-01T00:00:00.000Z',
    key,
    ...(mutation && { mutation }),
  };
  const version = (row ?? old)?.['version'];
  const [before, after] = [sees(old), sees(row)];
  if (!after) return before ? { ...event, type: 'delete', data: { version } } : undefined;
  const told = Object.fromEntries(Object.entries(row ?? {}).filter(([field]) => !omitted.includes(field)));
  const data = { new: told, version, ...(omitted.length > 0 && { omitted }) };
  if (!before) return { ...event, type: 'insert', data };
  const changed = Object.keys(row ?? {}).filter((field) => field !== 'version' && row?.[field] !== old?.[field]);
  return { ...event, type: 'update', data: { ...data, changed } };
}

export class FakeServer {
  readonly rows = new Map<string, Row>();
  readonly log: Logged[] = [];
  readonly asked: Asked[] = [];
  readonly streams: FakeStream[] = [];
  /** How many records a page has at most. */
  pageRows = 1000;
  #ids = 1000;

  get stream(): FakeStream {
    return this.streams.at(-1)!;
  }

  write(
    key: string,
    row: Row | undefined,
    by: { mutation?: string; omitted?: readonly string[] } = {},
  ): Row | undefined {
    const old = this.rows.get(key);
    const version = old === undefined ? 1 : Number(old['version']) + 1;
    const after = row && { ...row, id: key, version };
    if (after === undefined) this.rows.delete(key);
    else this.rows.set(key, after);
    const { mutation, omitted = [] } = by;
    this.log.push({ seq: this.log.length + 1, key, old, new: after, mutation, omitted });
    return after;
  }

  /** Does what a mutation asks for. @returns how the outbox is answered */
  perform(mutation: Mutation): { version?: number; body?: Row } | 'refused' {
    const { write } = mutation;
    if (write.kind === 'publish') return 'refused';
    this.#ids += 1;
    const key = write.key ?? String(this.#ids);
    const old = this.rows.get(key);
    // It was to be gone, and is.
    if (write.kind === 'delete' && old === undefined) return {};
    if (write.kind === 'create' ? old !== undefined : write.kind !== 'replace' && old === undefined) return 'refused';
    if (write.kind === 'replace' && write.version !== undefined && write.version !== old?.['version']) return 'refused';
    const row =
      write.kind === 'delete' ? undefined : write.kind === 'patch' ? { ...old, ...write.patch } : { ...write.record };
    const body = this.write(key, row, { mutation: mutationKey(mutation) });
    return body === undefined ? {} : { version: Number(body['version']), body };
  }

  readonly request: Request = (method, path, { signal } = {}) =>
    new Promise((resolve) => {
      const url = new URL(path, 'http://sluice.test');
      const aborted: Answer = { kind: 'unreachable', why: 'aborted' };
      const asked: Asked = {
        method,
        path: url.pathname,
        query: url.searchParams,
        resolve: (answer) => {
          const at = this.asked.indexOf(asked);
          if (at !== -1) this.asked.splice(at, 1);
          resolve(answer);
        },
        get isAborted() {
          return signal?.aborted === true;
        },
      };
      signal?.addEventListener('abort', () => asked.resolve(aborted));
      this.asked.push(asked);
    });

  readonly subscribe: Subscribe = (topic, options = {}, observer = {}) => {
    const stream = new FakeStream(this, options, observer);
    this.streams.push(stream);
    return {
      topic,
      cursor: undefined,
      get state() {
        return stream.isOpen ? ({ kind: 'live' } as const) : ({ kind: 'closed' } as const);
      },
      close: () => {
        stream.isOpen = false;
      },
      [Symbol.asyncIterator]: () => {
        throw new Error('nobody asks for this');
      },
    } satisfies Subscription;
  };

  /** Computes an answer from what there is now. */
  compute(asked: Asked): void {
    const sees = seesOf(asked.query.getAll('filter'));
    const after = asked.query.get('page');
    const limit = Math.min(Number(asked.query.get('limit')), this.pageRows);
    const order = asked.query.get('order');
    const descending = order?.endsWith('.desc') === true;
    const field = order?.split('.')[0] ?? 'id';
    const sorted = [...this.rows.values()].filter(sees).sort((a, b) => {
      const difference = compare(a[field], b[field]) * (descending ? -1 : 1);
      return difference === 0 ? compare(a['id'], b['id']) : difference;
    });
    const rest = after === null ? sorted : sorted.slice(sorted.findIndex((row) => compare(row['id'], after) > 0) >>> 0);
    const records = rest.slice(0, limit);
    const next = rest.length > limit ? String(records.at(-1)?.['id']) : undefined;
    asked.answer = ok({ records, cursor: String(this.log.length), ...(next && { next }) });
  }

  /** Answers all that is asked, and what is asked then. */
  async serve(): Promise<void> {
    for (let asked = this.asked[0]; asked !== undefined; asked = this.asked[0]) {
      if (asked.answer === undefined) this.compute(asked);
      asked.resolve(asked.answer!);
      await settled();
    }
  }
}

function compare(a: any, b: any): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function ok(body: unknown): Answer {
  return { kind: 'ok', status: 200, headers: new Headers(), body };
}

export function refused(code: ProblemCode, retryAfter?: number): Answer {
  const refusal = { ...problem(code) };
  return { kind: 'refused', code, status: refusal.status, problem: refusal, retryAfter };
}

export class FakeOutbox {
  readonly #kept = new Map<string, Mutation>();
  readonly #listeners = new Set<(mutation: Mutation) => void>();
  readonly shownIds: string[] = [];
  #count = 0;

  all = (): readonly Mutation[] => [...this.#kept.values()];

  pending = (): readonly Mutation[] => this.all().filter(({ state }) => state !== 'dead');

  deadLetters = (): readonly Mutation[] => this.all().filter(({ state }) => state === 'dead');

  get size(): number {
    return this.#kept.size;
  }

  get(id: string): Mutation | undefined {
    return this.#kept.get(id);
  }

  observe = (listener: (mutation: Mutation) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  settle = (key: string): void => {
    this.shownIds.push(mutationOf(key));
  };

  enqueue = (write: Write): Mutation => {
    this.#count += 1;
    const id = `m${this.#count}`;
    const lane = write.kind === 'publish' ? write.topic : `${write.collection}/${write.key ?? id}`;
    const mutation: Mutation = {
      id,
      order: this.#count,
      lane,
      write,
      state: 'pending',
      revision: 0,
      attempts: 0,
      enqueued: 0,
    };
    this.change(mutation, {});
    return mutation;
  };

  change(mutation: Mutation, changes: Partial<Mutation>): Mutation {
    const changed = { ...(this.#kept.get(mutation.id) ?? mutation), ...changes };
    this.#kept.set(mutation.id, changed);
    this.#tell(changed);
    return changed;
  }

  acknowledge(mutation: Mutation, answer: { version?: number; body?: Row }): Mutation {
    return this.change(mutation, { state: 'acknowledged', answer: { merged: false, ...answer } });
  }

  die(mutation: Mutation, code: ProblemCode = 'check'): Mutation {
    return this.change(mutation, { state: 'dead', refusal: { kind: 'refused', problem: { ...problem(code) } } });
  }

  let(go: Mutation, why: 'settled' | 'discarded'): void {
    const mutation = this.#kept.get(go.id);
    if (mutation === undefined) return;
    this.#kept.delete(mutation.id);
    this.#tell({ ...mutation, gone: why });
  }

  #tell(mutation: Mutation): void {
    for (const listener of [...this.#listeners]) listener(mutation);
  }
}

/** Time that passes when a test says so. */
export class FakeTime {
  now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  readonly clock = (): number => this.now;

  readonly delay = (callback: () => void, ms: number): (() => void) => {
    const timer = { at: this.now + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** How long until something is to be done; `undefined` when nothing is. */
  get next(): number | undefined {
    return this.#timers.size === 0 ? undefined : Math.min(...[...this.#timers].map(({ at }) => at)) - this.now;
  }

  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.now = Math.max(this.now, due.at);
      due.callback();
      await settled();
    }
    this.now = end;
  }
}

/** All that follows from promises that are settled has been done: none of these parts waits for anything else. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export function contextOf(server: FakeServer, outbox: FakeOutbox, time: FakeTime): QueryContext {
  return {
    request: server.request,
    subscribe: server.subscribe,
    mutations: outbox,
    retryDelay: (failures) => 100 * 2 ** Math.max(0, failures - 1),
    clock: time.clock,
    delay: time.delay,
    schedule: queueMicrotask,
    onError(error) {
      throw error;
    },
  };
}
