import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mutation, Row, Write } from '../../../src/client/mutation.ts';
import { createLiveQuery, type LiveQuery } from '../../../src/client/records/live-query.ts';
import { keyOfRow } from '../../../src/client/records/record-key.ts';
import { contextOf, FakeOutbox, FakeServer, FakeTime, seesOf, settled } from './fake-server.ts';

/** What can happen, each with a number that decides on the details. */
const OPERATIONS = [
  'other',
  'other',
  'enqueue',
  'enqueue',
  'perform',
  'answer',
  'answer',
  'deliver',
  'deliver',
  'settle',
  'discard',
  'compute',
  'serve',
  'serve',
  'gap',
  'tick',
] as const;
type Operation = readonly [(typeof OPERATIONS)[number], number];

const KEYS = ['a', 'b', 'c', 'd'];
const FIELDS = ['x', 'y', 't'];

/** What was shown of a key: a row, or none and why. Compared by when the server came to have it, once that is known. */
type Seen =
  | { readonly row: Row; readonly isOwn: (field: string) => boolean }
  /** Removed by a write of the client's own, or by the server at this place of its log. */
  | { readonly gone: Mutation | number }
  /** A write was refused: what it had hidden may show again. */
  | { readonly refused: true };

/**
 * Every value is written once, so that it says when it was written. `t` is written with every change of a row.
 * A model of the server, and of a client whose answers and events come when they like.
 */
class Run {
  readonly server = new FakeServer();
  readonly outbox = new FakeOutbox();
  readonly time = new FakeTime();
  readonly query: LiveQuery;
  readonly #filters: readonly string[];
  readonly #written: Mutation[] = [];
  readonly #answers = new Map<string, ReturnType<FakeServer['perform']>>();
  /** The place in the log at which a mutation was done. */
  readonly #done = new Map<string, number>();
  readonly #seen = new Map<string, Seen[]>();
  /** Where the pages of the list that is shown ended, and at which place of the log each was read. */
  #pages: { readonly last: string | undefined; readonly at: number }[] = [];
  #listing: { readonly last: string | undefined; readonly at: number }[] = [];
  /** The keys that were shown when it came. */
  #held: ReadonlySet<string> = new Set();
  #streams = 0;
  #values = 0;
  /** Keys that a client chooses are its own; but for one that it has deleted, and puts back. */
  readonly #keys = [...KEYS];
  #stop = () => {};

  constructor(filters: readonly string[], pageRows: number) {
    this.#filters = filters;
    this.server.pageRows = pageRows;
    for (const key of ['a', 'b']) this.server.write(key, this.#row('in'));
    const plan = { collection: 'things', filters, limit: 100, key: ['id'], version: 'version' };
    this.query = createLiveQuery(plan, contextOf(this.server, this.outbox, this.time));
    this.#stop = this.query.subscribe(() => {});
  }

  #value(): number {
    this.#values += 1;
    return this.#values;
  }

  #row(s: string): Row {
    return { x: this.#value(), y: this.#value(), t: this.#value(), s };
  }

  #patch(number: number, isOwn = true): Row {
    const out = isOwn && this.server.stream?.isOpen !== true ? 'in' : 'out';
    const s = number % 5 === 0 ? { s: number % 2 === 0 ? out : 'in' } : {};
    return { t: this.#value(), ...(number % 3 === 0 ? { x: this.#value() } : { y: this.#value() }), ...s };
  }

  async do([operation, number]: Operation): Promise<void> {
    const key = this.#keys[number % this.#keys.length]!;
    const pick = <T>(list: readonly T[]): T | undefined => list[(number >> 2) % Math.max(1, list.length)];
    switch (operation) {
      case 'other': {
        const old = this.server.rows.get(key);
        const omitted = number % 7 === 0 ? ['x'] : [];
        // Of a key that others use again while own writes are on their way, between two pages, or before its end was told, nobody can
        // tell which record is meant.
        const removed = this.server.log.findLast((each) => each.key === key && each.new === undefined)?.seq ?? 0;
        const isShown = this.query.versionOf(key) !== undefined;
        const isReused = isShown || this.#ownOf(key).length > 0 || removed > (this.#listing[0]?.at ?? 0);
        if (old === undefined && isReused) break;
        if (old === undefined) this.server.write(key, this.#row(number % 3 === 0 ? 'out' : 'in'), { omitted });
        else if (number % 4 === 0) this.server.write(key, undefined);
        else this.server.write(key, { ...old, ...this.#patch(number >> 2, false) }, { omitted });
        break;
      }
      case 'enqueue':
        this.#written.push(this.outbox.enqueue(this.#write(key, number >> 2)));
        break;
      case 'perform': {
        const next = pick(this.#sendable());
        if (next === undefined) break;
        this.outbox.change(next, { state: 'in-flight' });
        // A deletion is not: what was created over it would be no creation then.
        const answer = number % 6 === 0 && next.write.kind !== 'delete' ? 'refused' : this.server.perform(next);
        this.#answers.set(next.id, answer);
        if (answer !== 'refused') this.#done.set(next.id, this.server.log.length);
        break;
      }
      case 'answer': {
        const next = pick(this.#written.filter(({ id }) => this.#answers.has(id)));
        const answer = next && this.#answers.get(next.id);
        if (next === undefined || answer === undefined) break;
        this.#answers.delete(next.id);
        if (answer === 'refused') {
          this.outbox.die(next);
          if (next.write.kind !== 'publish') this.#seen.get(next.write.key ?? '')?.push({ refused: true });
        } else this.outbox.acknowledge(next, answer);
        break;
      }
      case 'deliver':
        for (let left = number % 3; left >= 0; left -= 1) this.server.stream?.next();
        break;
      case 'settle': {
        // Another tab may have seen it, while this one is behind.
        const answered = pick(this.outbox.all().filter(({ state }) => state === 'acknowledged'));
        if (answered !== undefined) this.outbox.let(answered, 'settled');
        break;
      }
      case 'discard': {
        const dead = pick(this.outbox.all().filter(({ state }) => state === 'dead'));
        if (dead !== undefined) this.outbox.let(dead, 'discarded');
        break;
      }
      case 'compute':
        this.#compute();
        break;
      case 'serve': {
        const asked = pick(this.server.asked);
        if (asked === undefined) break;
        if (asked.answer === undefined) this.#compute();
        if (asked.answer !== undefined) asked.resolve(asked.answer);
        break;
      }
      case 'gap':
        // A list does not say who took a row out of the query: that a second write will bring it back cannot be seen from it.
        if (!this.#isOut(this.#kept())) this.server.stream?.gap();
        break;
      case 'tick':
        // Longer than a stream takes.
        this.server.stream?.all();
        await this.time.pass(1000);
        break;
    }
    await settled();
    this.#look();
  }

  #write(key: string, number: number): Write {
    const collection = 'things';
    switch (number % 6) {
      case 0:
        return { kind: 'create', collection, record: this.#row('in') };
      case 1: {
        const own = this.#ownOf(key).at(-1)?.write.kind === 'delete' ? key : `n${this.#values}`;
        if (own !== key) this.#keys.push(own);
        return {
          kind: 'create',
          collection,
          key: own,
          record: { id: own, ...this.#row(number % 4 === 0 ? 'out' : 'in') },
        };
      }
      case 2:
        return { kind: 'delete', collection, key };
      case 3: {
        // As a collection does: of what shows, and unless own writes wait before it.
        const version = this.query.versionOf(key);
        if (version === undefined) return { kind: 'patch', collection, key, patch: this.#patch(number >> 3) };
        const record = this.#row(number % 4 === 0 ? 'out' : 'in');
        return { kind: 'replace', collection, key, record, version: this.#ownOf(key).length > 0 ? undefined : version };
      }
      default:
        return { kind: 'patch', collection, key, patch: this.#patch(number >> 3) };
    }
  }

  /** Also those that the outbox has let go of, and this query still shows. */
  #kept(): readonly Mutation[] {
    const gone = this.#keys.flatMap((key) => this.query.pendingOf(key)).filter(({ id }) => !this.outbox.get(id));
    return [...gone, ...this.outbox.all()].sort((a, b) => a.order - b.order);
  }

  #ownOf(key: string): readonly Mutation[] {
    return this.#kept().filter(({ state, write }) => state !== 'dead' && write.kind !== 'publish' && write.key === key);
  }

  #isOut(mutations: readonly Mutation[]): boolean {
    return mutations.some(({ write }) => {
      const record = write.kind === 'patch' ? write.patch : 'record' in write ? write.record : {};
      return record['s'] === 'out';
    });
  }

  /** The first of each lane that has no answer. */
  #sendable(): readonly Mutation[] {
    const busy = new Set<string>();
    return this.outbox.all().filter(({ state, lane }) => {
      if (state !== 'pending' && state !== 'in-flight') return false;
      const isFirst = !busy.has(lane);
      busy.add(lane);
      return isFirst && state === 'pending';
    });
  }

  #compute(): void {
    const asked = this.server.asked.find(({ answer }) => answer === undefined);
    if (asked === undefined) return;
    this.server.compute(asked);
    if (asked.query.getAll('filter').length > this.#filters.length) return;
    const answer = asked.answer;
    const next = answer?.kind === 'ok' ? (answer.body as { next?: string }).next : undefined;
    if (asked.query.get('page') === null) this.#listing = [];
    this.#listing.push({ last: next, at: this.server.log.length });
  }

  #look(): void {
    if (this.server.streams.length > this.#streams) {
      this.#streams = this.server.streams.length;
      this.#pages = this.#listing;
      this.#held = new Set(
        [...this.#seen].filter(([, history]) => 'row' in (history.at(-1) ?? {})).map(([key]) => key),
      );
    }
    const shown = new Map(this.query.getSnapshot().rows.map((row) => [keyOfRow(row, ['id'])!, row]));
    for (const key of new Set([...this.#keys, ...shown.keys()])) {
      const row = shown.get(key);
      const history = this.#seen.get(key) ?? [];
      this.#seen.set(key, history);
      const waiting = this.query.pendingOf(key).filter(({ state }) => state !== 'acknowledged');
      const values = waiting.flatMap(({ write }) =>
        write.kind === 'patch' ? [write.patch] : 'record' in write ? [write.record] : [],
      );
      const isOwn = (field: string) => values.some((value) => row !== undefined && value[field] === row[field]);
      history.push(row === undefined ? { gone: this.#whyGone(key) } : { row, isOwn });
    }
  }

  #whyGone(key: string): Mutation | number {
    const position = this.server.stream?.position ?? 0;
    const base = this.server.log.findLast((each) => each.key === key && each.seq <= position)?.new;
    const own = this.#ownOf(key).findLast(
      (mutation) =>
        !this.outbox.shownIds.includes(mutation.id) && (mutation.write.kind === 'delete' || this.#isOut([mutation])),
    );
    const sees = seesOf(this.#filters);
    if (own !== undefined && sees(base)) return own;
    const removals = this.server.log.filter((each) => each.key === key && sees(each.old) && !sees(each.new));
    const told = removals.findLast(({ seq }) => seq <= position);
    // A row that was shown, and that a later page did not have.
    const page = this.#pages.find(({ last }) => last === undefined || key <= last)?.at ?? 0;
    const first = removals.find(({ seq }) => seq > (this.#pages[0]?.at ?? 0) && seq <= page);
    return Math.max(told?.seq ?? 0, this.#held.has(key) ? (first?.seq ?? 0) : 0);
  }

  /** Lets everything come to its end. */
  async finish(): Promise<void> {
    for (let round = 0; round < 100; round += 1) {
      for (const _ of this.#sendable()) await this.do(['perform', 1]);
      for (const _ of this.#answers.keys()) await this.do(['answer', 0]);
      for (const { id } of this.#written) {
        const mutation = this.outbox.get(id);
        if (mutation?.state === 'dead') this.outbox.let(mutation, 'discarded');
      }
      while (this.server.asked.length > 0) await this.do(['serve', 0]);
      this.server.stream?.all();
      await this.time.pass(6000);
      this.#look();
    }
  }

  check(): void {
    const sees = seesOf(this.#filters);
    const there = [...this.server.rows.values()]
      .filter(sees)
      .sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1));
    const { rows } = this.query.getSnapshot();
    expect(rows.toSorted((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1))).toEqual(there);
    for (const key of this.#keys) expect(this.query.pendingOf(key)).toEqual([]);
    const ranks = new Map<unknown, number>();
    for (const { seq, new: row } of this.server.log)
      for (const field of FIELDS) if (row !== undefined && !ranks.has(row[field])) ranks.set(row[field], seq);
    for (const [key, history] of this.#seen) {
      for (const field of FIELDS) this.#checkOrder(key, field, history, ranks);
    }
    this.#stop();
  }

  /** Nothing older shows after something newer. What was rolled back has no place in the log, and is left out. */
  #checkOrder(key: string, field: string, history: readonly Seen[], ranks: ReadonlyMap<unknown, number>): void {
    let newest = 0;
    for (const [index, seen] of history.entries()) {
      if ('refused' in seen) {
        newest = 0;
        continue;
      }
      let rank: number | undefined;
      if ('row' in seen) rank = ranks.get(seen.row[field]);
      // That a row is gone says something of the row, which `t` stands for.
      else if (field === 't') rank = typeof seen.gone === 'number' ? seen.gone : this.#done.get(seen.gone.id);
      if (rank === undefined) continue;
      // What waits for an answer lies over everything.
      if ('row' in seen ? !seen.isOwn(field) : typeof seen.gone !== 'number')
        expect(rank, `${key}.${field} at step ${index} is older than what was shown`).toBeGreaterThanOrEqual(newest);
      newest = Math.max(newest, rank);
    }
  }
}

const operation: fc.Arbitrary<Operation> = fc.tuple(fc.constantFrom(...OPERATIONS), fc.nat(5000));

describe('a live query', () => {
  it.each([
    ['all records, on one page', [], 1000],
    ['all records, on many pages', [], 1],
    ['some records, on one page', ['s=eq.in'], 1000],
    ['some records, on many pages', ['s=eq.in'], 1],
  ] as const)(
    'never goes back to what is older, and ends at what the server has: %s',
    async (_, filters, pageRows) => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (operations) => {
          const run = new Run(filters, pageRows);
          for (const each of operations) await run.do(each);
          await run.finish();
          run.check();
        }),
        { numRuns: Number(process.env['RUNS'] ?? 150) },
      );
    },
    120_000,
  );
});
