/**
 * What every store of an outbox promises (see the port), as functions that throw: so that they run in a browser too, where there is no test
 * runner.
 */
import type { Mutation, MutationChange } from '../../../src/client/mutation.ts';
import { LOG_LIMIT, type OutboxStore } from '../../../src/client/outbox/store.ts';

/** Opens a store. Those of one scenario share what they hold, as tabs do. */
export type Open = () => Promise<OutboxStore>;

let ids = 0;

export function draft(lane = 'topic:a', members: Partial<Mutation> = {}): Omit<Mutation, 'order'> {
  ids += 1;
  const write = { kind: 'publish', topic: lane.slice(6), events: [{ data: ids }] } as const;
  return { id: `m${ids}`, lane, write, state: 'pending', revision: 0, attempts: 0, enqueued: 1, ...members };
}

const put =
  (members: Partial<Mutation>) =>
  (all: readonly Mutation[]): readonly MutationChange[] =>
    all.map((mutation) => ({ kind: 'changed', mutation: { ...mutation, ...members } }));

const remove = (all: readonly Mutation[]): readonly MutationChange[] =>
  all.map((mutation) => ({ kind: 'gone', mutation, why: 'settled' }));

export const STORE_PROMISES: Readonly<Record<string, (open: Open) => Promise<void>>> = {
  async 'gives each mutation a place after all before it, also after those that are gone'(open) {
    const store = await open();
    const drafts = [draft('topic:a'), draft('topic:b'), draft('topic:a')];
    for (const each of drafts) await store.add(each, 10);
    const { changes } = await store.changes();
    same(
      changes.map(({ mutation }) => mutation.id),
      drafts.map(({ id }) => id),
    );
    await store.update('topic:a', remove);
    await store.update('topic:b', remove);
    await store.add(draft(), 10);
    const orders = [...changes, ...(await store.changes()).changes.filter(({ kind }) => kind === 'changed')].map(
      ({ mutation }) => mutation.order,
    );
    same(
      orders,
      orders.toSorted((a, b) => a - b),
    );
    same(new Set(orders).size, 4);
  },

  async 'keeps a mutation as it was given'(open) {
    const store = await open();
    const given = draft('record:a/1', {
      write: { kind: 'patch', collection: 'a', key: '1', patch: { text: 'x', list: [1, { deep: null }] }, base: 4 },
    });
    await store.add(given, 10);
    const { changes } = await (await open()).changes();
    const { order: _, ...kept } = changes[0]?.mutation ?? { order: 0 };
    same(kept, given);
  },

  async 'takes no more than the limit, of whatever lane'(open) {
    const store = await open();
    same(await store.add(draft('topic:a'), 2), true);
    same(await store.add(draft('topic:b'), 2), true);
    same(await store.add(draft('topic:c'), 2), false);
    same((await store.changes()).changes.length, 2);
    await store.update('topic:a', remove);
    same(await store.add(draft('topic:c'), 2), true);
  },

  async 'holds the limit for all tabs together, however they race'(open) {
    const tabs = [await open(), await open(), await open()];
    const taken = await Promise.all(Array.from({ length: 30 }, (_, index) => tabs[index % 3]?.add(draft(), 7)));
    same(taken.filter((each) => each === true).length, 7);
    same((await (await open()).changes()).changes.length, 7);
  },

  async 'shows a change the mutations of its lane alone, in order'(open) {
    const store = await open();
    for (const lane of ['topic:a', 'topic:b', 'topic:a']) await store.add(draft(lane), 10);
    let seen: readonly Mutation[] = [];
    const changes = await store.update('topic:a', (all) => {
      seen = all;
      return [];
    });
    same(changes, []);
    same(
      seen.map(({ lane }) => lane),
      ['topic:a', 'topic:a'],
    );
    same(
      seen.map(({ order }) => order),
      seen.map(({ order }) => order).toSorted((a, b) => a - b),
    );
  },

  async 'lets nobody come between reading a lane and changing it'(open) {
    const tabs = [await open(), await open()];
    await tabs[0]?.add(draft(), 10);
    const count = (all: readonly Mutation[]) => put({ attempts: (all[0]?.attempts ?? 0) + 1 })(all);
    await Promise.all(Array.from({ length: 20 }, (_, index) => tabs[index % 2]?.update('topic:a', count)));
    same((await (await open()).changes()).changes[0]?.mutation.attempts, 20);
  },

  async 'applies all changes of a step: what is changed, moved to another lane, and gone'(open) {
    const store = await open();
    for (let each = 0; each < 3; each += 1) await store.add(draft(), 10);
    await store.update('topic:a', ([first, second, third]) => [
      { kind: 'gone', mutation: mutation(first), why: 'discarded' },
      { kind: 'changed', mutation: { ...mutation(second), lane: 'topic:b' } },
      { kind: 'changed', mutation: { ...mutation(third), state: 'dead', refusal: { kind: 'uncertain' } } },
    ]);
    const all = (await (await open()).changes()).changes;
    same(
      all.map(({ mutation: { lane, state } }) => [lane, state]),
      [
        ['topic:b', 'pending'],
        ['topic:a', 'dead'],
      ],
    );
    same((await store.update('topic:b', put({}))).length, 1);
  },

  async 'changes nothing where a step fails'(open) {
    const store = await open();
    await store.add(draft(), 10);
    await store.changes();
    let failed = false;
    try {
      await store.update('topic:a', () => {
        throw new Error('no');
      });
    } catch {
      failed = true;
    }
    same(failed, true);
    same(await store.changes(), { whole: false, changes: [] });
    same(await store.add(draft(), 10), true);
  },

  async 'tells everything at first, and then what others change'(open) {
    const [mine, theirs] = [await open(), await open()];
    await theirs.add(draft(), 10);
    const first = await mine.changes();
    same([first.whole, first.changes.length], [true, 1]);
    same(await mine.changes(), { whole: false, changes: [] });
    await theirs.update('topic:a', put({ state: 'in-flight' }));
    await theirs.add(draft('topic:b'), 10);
    const { whole, changes } = await mine.changes();
    same(whole, false);
    same(
      changes.map(({ kind, mutation: { lane, state } }) => [kind, lane, state]),
      [
        ['changed', 'topic:a', 'in-flight'],
        ['changed', 'topic:b', 'pending'],
      ],
    );
  },

  async 'tells of what is gone, with what it was at last, also where it came and went meanwhile'(open) {
    const [mine, theirs] = [await open(), await open()];
    await mine.changes();
    await theirs.add(draft(), 10);
    await theirs.update('topic:a', put({ state: 'acknowledged', answer: { version: 7, merged: false } }));
    await theirs.update('topic:a', remove);
    const { changes } = await mine.changes();
    const last = changes.at(-1);
    same(last?.kind, 'gone');
    same(last?.mutation.answer, { version: 7, merged: false });
    same((await (await open()).changes()).changes, []);
  },

  async 'tells everything again to who has missed more than it remembers'(open) {
    const [mine, theirs] = [await open(), await open()];
    await mine.changes();
    await theirs.add(draft(), 10);
    for (let each = 1; each < LOG_LIMIT; each += 1) await theirs.update('topic:a', put({ attempts: each }));
    const just = await mine.changes();
    same(just.whole, false);
    same(just.changes.at(-1)?.mutation.attempts, LOG_LIMIT - 1);
    for (let each = 0; each <= LOG_LIMIT; each += 1) await theirs.update('topic:a', put({ attempts: each }));
    const all = await mine.changes();
    same([all.whole, all.changes.length, all.changes[0]?.mutation.attempts], [true, 1, LOG_LIMIT]);
    same(await mine.changes(), { whole: false, changes: [] });
  },
};

function mutation(given: Mutation | undefined): Mutation {
  if (given === undefined) throw new Error('a mutation is missing');
  return given;
}

function same(actual: unknown, expected: unknown): void {
  const [is, ought] = [text(actual), text(expected)];
  if (is !== ought) throw new Error(`expected ${ought}, and it was ${is}`);
}

/** As JSON, members by name: a browser may give them in another order. */
function text(value: unknown): string | undefined {
  return JSON.stringify(value, (_, each) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
