/**
 * What every store of an outbox promises (see the port), as functions that throw: so that they run in a browser too, where there is no test
 * runner.
 */
import type { Kept, OutboxStore } from '../../../src/client/outbox/store.ts';

/** Opens a store. Those of one scenario share what they hold, as tabs do. */
export type Open = () => Promise<OutboxStore>;

let ids = 0;

export function kept(seq: number, members: Partial<Kept> = {}): Kept {
  ids += 1;
  const write = { kind: 'publish', topic: 'a', events: [{ data: ids }] } as const;
  const rest = { state: 'pending', revision: 0, attempts: 0, enqueued: 1 } as const;
  return { id: `m${ids}`, order: seq, seq, lane: '/v1/topics/a/events', write, ...rest, ...members };
}

/** Puts entries, and deletes others. */
export async function change(store: OutboxStore, put: readonly Kept[], gone: readonly number[] = []): Promise<void> {
  await store.transact(0, (_, writer) => {
    for (const seq of gone) writer.delete(seq);
    for (const each of put) writer.put(each);
  });
}

export async function entriesOf(store: OutboxStore, after = 0): Promise<readonly Kept[]> {
  let entries: readonly Kept[] = [];
  await store.transact(after, (news) => {
    entries = news;
  });
  return entries;
}

const seqsOf = async (store: OutboxStore, after?: number) => (await entriesOf(store, after)).map(({ seq }) => seq);

export const STORE_PROMISES: Readonly<Record<string, (open: Open) => Promise<void>>> = {
  async 'keeps an entry as it was given, for all tabs'(open) {
    const given = kept(Date.now(), {
      write: { kind: 'patch', collection: 'a', key: '1', patch: { text: 'x', list: [1, { deep: null }] }, base: 4 },
      answer: { version: 7, body: { text: 'x' }, merged: false },
      gone: 'settled',
    });
    await change(await open(), [given]);
    same(await entriesOf(await open()), [given]);
  },

  async 'tells what came after, in order'(open) {
    const [mine, theirs] = [await open(), await open()];
    await change(mine, [kept(1), kept(2)]);
    await change(theirs, [kept(10), kept(11)]);
    same(await seqsOf(mine), [1, 2, 10, 11]);
    same(await seqsOf(mine, 2), [10, 11]);
    same(await seqsOf(theirs, 11), []);
  },

  async 'deletes what a later entry replaces, and does not mind what is not there'(open) {
    const store = await open();
    await change(store, [kept(1), kept(2)]);
    await change(store, [kept(3)], [1, 0, 77]);
    same(await seqsOf(store), [2, 3]);
  },

  async 'lets nobody come between reading and writing'(open) {
    const tabs = [await open(), await open(), await open()];
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        tabs[index % 3]?.transact(0, (news, writer) => {
          // As many as fit: as a limit does.
          if (news.length < 7) writer.put(kept(news.length + 1));
        }),
      ),
    );
    same(await seqsOf(await open()), [1, 2, 3, 4, 5, 6, 7]);
  },

  async 'does steps in the order in which they were asked for'(open) {
    const store = await open();
    const told: number[] = [];
    await Promise.all(
      [1, 2, 3].map((seq) => store.transact(0, (news, writer) => told.push(news.length) && writer.put(kept(seq)))),
    );
    same(told, [0, 1, 2]);
  },
};

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
