import { QueryClient, type QueryKey, QueryObserver } from '@tanstack/query-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { Event } from '../../src/protocol/event.ts';
import { bridgeQueries, type Rule } from '../../src/query/index.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { closeAll, type Order, type System, settled, system, systemWithOrders, until } from '../react/system.ts';

afterEach(closeAll);

/** A cache with a bridge, and queries that are answered by a function, or when a test says so. */
function bridged({ client }: System, rules: readonly Rule[]) {
  const queryClient = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  const errors: unknown[] = [];
  const stop = bridgeQueries({ client, queryClient, rules, onError: (error) => errors.push(error) });
  const fetches: string[] = [];
  return {
    queryClient,
    errors,
    stop,
    fetches,
    data: (queryKey: QueryKey) => queryClient.getQueryData<any>(queryKey),
    /** @returns how to stop observing */
    observe(queryKey: QueryKey, queryFn: () => unknown, options = {}): () => void {
      const observer = new QueryObserver(queryClient, {
        queryKey,
        queryFn: () => {
          fetches.push(queryKey.join('/'));
          return queryFn();
        },
        ...options,
      });
      return observer.subscribe(() => {});
    },
  };
}

const listing =
  ({ app }: System, query = '') =>
  async (): Promise<Order[]> =>
    (await app.json(`/v1/collections/orders${query}`)).body.records;
const notesOf = (orders: readonly Order[] | undefined) => orders?.map(({ note }) => note);

/** Waits until what is observed was fetched, and once more when the stream was there. */
async function begun({ client }: System, topic: string, { fetches }: { fetches: string[] }, count = 2): Promise<void> {
  await until(() => [client.reads(topic), client.status.state, fetches.length >= count], [true, 'connected', true]);
}

describe('a rule of a collection', () => {
  it('has its queries fetched again when the server changes a record, whoever did it', async () => {
    const sluice = await systemWithOrders();
    const cache = bridged(sluice, [{ collection: 'orders' }]);
    cache.observe(['orders', 'open'], listing(sluice, '?filter=status%3Deq.open'));
    cache.observe(['customers'], () => []);
    await begun(sluice, 'orders', cache, 3);
    await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
    await until(() => notesOf(cache.data(['orders', 'open'])), ['uno', 'two']);
    expect(cache.fetches.filter((key) => key === 'customers')).toHaveLength(1);
  });

  it('says which queries a change is about', async () => {
    const sluice = await systemWithOrders();
    const cache = bridged(sluice, [
      { collection: 'orders', keys: [['orders'], ['totals']], invalidates: ({ key }) => [['orders', key], ['totals']] },
    ]);
    for (const key of [['orders', '1'], ['orders', '2'], ['totals']]) cache.observe(key, () => Date.now());
    await begun(sluice, 'orders', cache, 6);
    await settled(sluice);
    const before = cache.fetches.length;
    await sluice.sql(`UPDATE orders SET note = 'zwei' WHERE id = 2`);
    await until(() => cache.fetches.slice(before).sort(), ['orders/2', 'totals']);
  });

  it('writes changes into records and lists where it may, and has the rest fetched', async () => {
    const sluice = await systemWithOrders();
    const cache = bridged(sluice, [{ collection: 'orders', update: true }]);
    cache.observe(['orders'], listing(sluice));
    cache.observe(['orders', '1'], async () => (await listing(sluice)())[0]);
    cache.observe(['orders', 'count'], async () => ({ count: (await listing(sluice)()).length }));
    await begun(sluice, 'orders', cache, 6);
    await settled(sluice);
    cache.fetches.length = 0;
    await sluice.sql(`UPDATE orders SET note = 'uno' WHERE id = 1`);
    await until(
      () => [notesOf(cache.data(['orders'])), cache.data(['orders', '1']).note],
      [['uno', 'two', 'three'], 'uno'],
    );
    await until(() => cache.fetches, ['orders/count']);
    await sluice.sql('DELETE FROM orders WHERE id = 3');
    await until(() => [notesOf(cache.data(['orders'])), cache.data(['orders', 'count']).count], [['uno', 'two'], 2]);
    expect(cache.fetches).toEqual(['orders/count', 'orders/count']);
    await sluice.sql(`INSERT INTO orders VALUES (4, 'open', 'four')`);
    await until(() => notesOf(cache.data(['orders'])), ['uno', 'two', 'four']);
    expect(cache.fetches).toContain('orders');
    expect(cache.fetches).not.toContain('orders/1');
  });
});

describe('a rule of a topic', () => {
  const append: Rule = {
    topic: (key) => `chat:${key[1]}`,
    keys: [['messages']],
    update: (messages: readonly number[], { data }: Event<number>) =>
      messages.includes(data) ? messages : [...messages, data],
  };

  it('writes what comes into the queries of that topic, without another fetch', async () => {
    const sluice = system();
    const cache = bridged(sluice, [append]);
    cache.observe(['messages', 'a'], () => [0]);
    cache.observe(['messages', 'b'], () => [0]);
    await begun(sluice, 'chat:a', cache, 4);
    await settled(sluice);
    const before = cache.fetches.length;
    await sluice.app.publish('chat:a', 1, 2);
    await until(() => cache.data(['messages', 'a']), [0, 1, 2]);
    expect([cache.data(['messages', 'b']), cache.fetches.length]).toEqual([[0], before]);
  });

  it('writes what comes while a query is fetched into what was fetched', async () => {
    const sluice = system();
    const cache = bridged(sluice, [append]);
    const answers: ((data: number[]) => void)[] = [];
    cache.observe(['messages', 'a'], () => new Promise((resolve) => answers.push(resolve)));
    await until(() => sluice.client.status.state, 'connected');
    await settled(sluice);
    answers[0]!([0]);
    await until(() => answers.length, 2);
    await sluice.app.publish('chat:a', 1, 2);
    await settled(sluice);
    expect(cache.data(['messages', 'a'])).toEqual([0]);
    answers[1]!([0, 1]);
    await until(() => cache.data(['messages', 'a']), [0, 1, 2]);
    expect(answers).toHaveLength(2);
  });

  it('has queries fetched again where there is nothing to write, or it cannot be written', async () => {
    const sluice = system();
    const cache = bridged(sluice, [
      { topic: 't', keys: [['plain']] },
      { topic: 't', keys: [['unsure']], update: () => undefined },
      {
        topic: 't',
        keys: [['broken']],
        update() {
          throw new Error('broken');
        },
      },
    ]);
    for (const key of ['plain', 'unsure', 'broken']) cache.observe([key], () => Date.now());
    await begun(sluice, 't', cache, 6);
    await settled(sluice);
    cache.fetches.length = 0;
    await sluice.app.publish('t', 1);
    await until(() => cache.fetches.toSorted(), ['broken', 'plain', 'unsure']);
    expect(cache.errors).toEqual([new Error('broken')]);
  });

  it('fetches one after the other where changes come faster than answers', async () => {
    const sluice = system();
    const cache = bridged(sluice, [{ topic: 't', keys: [['slow']] }]);
    const answers: ((data: number) => void)[] = [];
    cache.observe(['slow'], () => new Promise((resolve) => answers.push(resolve)));
    await until(() => sluice.client.status.state, 'connected');
    for (let n = 1; n <= 5; n += 1) {
      await sluice.app.publish('t', n);
      await settled(sluice);
    }
    expect(answers).toHaveLength(1);
    answers[0]!(1);
    await until(() => answers.length, 2);
    answers[1]!(2);
    await until(() => cache.data(['slow']), 2);
    await settled(sluice);
    expect(answers).toHaveLength(2);
  });

  it('has everything fetched again after a gap, once for who observes it, and what is not observed when it is', async () => {
    const store = createMemoryStore();
    const sluice = system({ store });
    const cache = bridged(sluice, [append]);
    let answer = [0];
    cache.observe(['messages', 'a'], () => answer);
    const stop = cache.observe(['messages', 'a', 'old'], () => answer);
    await begun(sluice, 'chat:a', cache, 4);
    await settled(sluice);
    await sluice.app.publish('chat:a', 1);
    await until(() => cache.data(['messages', 'a']), [0, 1]);
    stop();
    sluice.cut();
    await sluice.app.publish('chat:a', 2, 3, 4);
    await store.log.prune(() => ({ events: 1 }), Date.now());
    answer = [0, 1, 2, 3, 4];
    cache.fetches.length = 0;
    sluice.restore();
    await until(() => cache.data(['messages', 'a']), answer);
    expect(cache.fetches).toEqual(['messages/a']);
    expect(cache.data(['messages', 'a', 'old'])).toEqual([0, 1]);
    cache.observe(['messages', 'a', 'old'], () => answer);
    await until(() => cache.data(['messages', 'a', 'old']), answer);
  });
});

describe('a topic', () => {
  const rules: readonly Rule[] = [{ topic: 't', keys: [['t']] }];

  it('is followed only while a query of it is observed, and enabled', async () => {
    const sluice = system();
    const { client } = sluice;
    const cache = bridged(sluice, rules);
    await cache.queryClient.fetchQuery({ queryKey: ['t', 1], queryFn: () => 1 });
    const stopDisabled = cache.observe(['t', 2], () => 2, { enabled: false });
    await settled(sluice);
    expect([client.reads('t'), sluice.requests]).toEqual([false, []]);
    stopDisabled();
    const stop = cache.observe(['t', 1], () => 1);
    await until(() => client.reads('t'), true);
    stop();
    await settled(sluice);
    const again = cache.observe(['t', 1], () => 1);
    expect(client.reads('t')).toBe(true);
    again();
    await until(() => client.reads('t'), false);
    expect(sluice.requests.filter((request) => request.endsWith('(stream)'))).toHaveLength(1);
  });

  it('that is followed again has what was cached meanwhile fetched again', async () => {
    const sluice = system();
    const cache = bridged(sluice, rules);
    const stop = cache.observe(['t'], () => 1);
    await begun(sluice, 't', cache);
    stop();
    await until(() => sluice.client.reads('t'), false);
    cache.fetches.length = 0;
    await sluice.app.publish('t', 1);
    cache.observe(['t'], () => 2);
    await until(() => cache.data(['t']), 2);
    expect(cache.fetches).toEqual(['t']);
  });

  it('is let go of at once when the bridge is ended, and the cache is left as it is', async () => {
    const sluice = system();
    const cache = bridged(sluice, rules);
    cache.observe(['t'], () => 1);
    await begun(sluice, 't', cache);
    cache.stop();
    await settled(sluice);
    expect(sluice.client.reads('t')).toBe(false);
    cache.observe(['t', 2], () => 2);
    await settled(sluice);
    expect([sluice.client.reads('t'), cache.data(['t']), cache.data(['t', 2])]).toEqual([false, 1, 2]);
  });

  it('is followed for what was observed before the bridge was made', async () => {
    const sluice = system();
    const queryClient = new QueryClient();
    let count = 0;
    const queryFn = () => ++count;
    new QueryObserver(queryClient, { queryKey: ['t'], queryFn }).subscribe(() => {});
    const stop = bridgeQueries({ client: sluice.client, queryClient, rules });
    await until(() => [sluice.client.status.state, count], ['connected', 2]);
    await sluice.app.publish('t', 1);
    await until(() => count, 3);
    stop();
  });
});
