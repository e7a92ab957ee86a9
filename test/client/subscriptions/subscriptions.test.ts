import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/store/memory.ts';
import { tokenOf } from '../../http/app.ts';
import { listen, systems, untilLive } from '../links.ts';

const system = systems(afterEach);

describe('a subscription', () => {
  it('tells of what is published after it is live', async () => {
    const { app, link } = system();
    await app.publish('t', 'before');
    const told = listen(link, 't');
    await untilLive(told);
    await app.publish('t', 'after');
    await expect.poll(told.data).toEqual(['after']);
    expect(told.subscription.cursor).toBe(told.events[0]!.id);
  });

  it('begins with history where it is asked to', async () => {
    const { app, link } = system();
    const ids = await app.publish('t', 1, 2, 3, 4, 5);
    const last = listen(link, 't', { last: 2 });
    const after = listen(link, 't', { after: ids[0] });
    const earliest = listen(link, 't', { after: 'earliest' });
    const latest = listen(link, 't');
    await untilLive(last, after, earliest, latest);
    await app.publish('t', 6);
    await expect.poll(latest.data).toEqual([6]);
    expect([last.data(), after.data(), earliest.data()]).toEqual([
      [4, 5, 6],
      [2, 3, 4, 5, 6],
      [1, 2, 3, 4, 5, 6],
    ]);
  });

  it('goes on from its place after a cut, and tells nothing twice', async () => {
    const { app, link, cut, restore } = system({ random: () => 0 });
    const told = listen(link, 't');
    await untilLive(told);
    await app.publish('t', 1);
    await expect.poll(told.data).toEqual([1]);
    cut();
    await app.publish('t', 2, 3);
    await expect.poll(() => link.status.state).toBe('reconnecting');
    restore();
    await untilLive(told);
    await app.publish('t', 4);
    await expect.poll(told.data).toEqual([1, 2, 3, 4]);
  });

  it('shares one stream with the others, and joins and leaves it live', async () => {
    const { app, link, requests } = system();
    const first = listen(link, 'a');
    await untilLive(first);
    const second = listen(link, 'b');
    await untilLive(second);
    await app.publish('a', 1);
    await app.publish('b', 2);
    await expect.poll(() => [first.data(), second.data()]).toEqual([[1], [2]]);
    first.subscription.close();
    await expect.poll(() => app.json('/v1/streams').then(({ body }) => body.streams[0].topics)).toEqual(['b']);
    expect(requests.filter((request) => request === 'POST /v1/streams')).toHaveLength(1);
    second.subscription.close();
    await expect.poll(() => link.status.state).toBe('disconnected');
  });

  it('is refused by itself, with the code, and tried again with another token', async () => {
    let subscribe = ['a'];
    const { app, link } = system({ token: () => tokenOf({ sub: 'x', subscribe }) });
    const [a, b, c] = [listen(link, 'a'), listen(link, 'b'), listen(link, 'c')];
    await untilLive(a);
    expect([b.states, c.states]).toEqual([['refused forbidden'], ['refused forbidden']]);
    await app.publish('a', 1);
    await expect.poll(a.data).toEqual([1]);
    subscribe = ['**'];
    await link.renewToken();
    await untilLive(b, c);
    await app.publish('c', 2);
    await expect.poll(c.data).toEqual([2]);
  });

  it('is refused without harm to the others when it comes later', async () => {
    const { app, link } = system({ claims: { sub: 'x', subscribe: ['a', 'c'] } });
    const a = listen(link, 'a');
    await untilLive(a);
    const [b, c] = [listen(link, 'b'), listen(link, 'c')];
    await untilLive(c);
    expect(b.states).toEqual(['refused forbidden']);
    await app.publish('a', 1);
    await app.publish('c', 2);
    await expect.poll(() => [a.data(), c.data()]).toEqual([[1], [2]]);
  });

  it('is read by its own parameters beside another of the same topic', async () => {
    const { app, link } = system();
    const small = listen(link, 't', { filter: 'n=lt.5' });
    const all = listen(link, 't');
    const same = listen(link, 't', { filter: ['n=lt.5'] });
    await untilLive(small, all, same);
    await app.publish('t', { n: 1 }, { n: 9 });
    await expect.poll(() => all.data().length).toBe(2);
    await expect.poll(() => [small.data(), same.data()]).toEqual([[{ n: 1 }], [{ n: 1 }]]);
    expect((await app.json('/v1/streams')).body.streams).toHaveLength(2);
  });

  it('is parked and told when there are too many, and goes on from its place when there is room', async () => {
    const { app, link } = system({ topics: 2 });
    const low = listen(link, 'low', { priority: 'low' });
    const normal = listen(link, 'normal');
    await untilLive(low, normal);
    await app.publish('low', 1);
    await expect.poll(low.data).toEqual([1]);
    const critical = listen(link, 'critical', { priority: 'critical' });
    await untilLive(critical);
    expect(low.subscription.state).toEqual({ kind: 'parked', why: 'topics' });
    await app.publish('low', 2);
    normal.subscription.close();
    await untilLive(low);
    await app.publish('low', 3);
    await expect.poll(low.data).toEqual([1, 2, 3]);
  });

  it('keeps to what the server allows, where that is less', async () => {
    const { link } = system({ realtime: { limits: { topicsPerStream: 2 } } });
    const told = ['a', 'b', 'c', 'd'].map((topic) => listen(link, topic));
    await untilLive(told[0]!, told[1]!);
    await expect
      .poll(() => told.map(({ subscription }) => subscription.state.kind))
      .toEqual(['live', 'live', 'parked', 'parked']);
  });

  it('joins one that is live and is given its own history, while that goes on undisturbed', async () => {
    const { app, link } = system();
    const ids = await app.publish('t', 1, 2, 3);
    const first = listen(link, 't');
    await untilLive(first);
    await app.publish('t', 4);
    const late = listen(link, 't', { after: ids[0] });
    await app.publish('t', 5);
    await untilLive(late);
    await app.publish('t', 6);
    await expect
      .poll(() => [first.data(), late.data()])
      .toEqual([
        [4, 5, 6],
        [2, 3, 4, 5, 6],
      ]);
  });

  it.each(['stream', 'cuts'])('joins in a storm of events and misses and repeats nothing (%s)', async (line) => {
    const { app, link, cut, restore } = system({ random: () => 0 });
    const told: ReturnType<typeof listen>[] = [listen(link, 't', { after: 'earliest' })];
    for (let n = 0; n < 400; n += 1) {
      await app.publish('t', n);
      if (n % 10 === 0)
        told.push(listen(link, 't', n % 20 === 0 ? { after: 'earliest' } : { after: told[0]!.subscription.cursor }));
      if (n % 37 === 0) told.push(listen(link, 't', { last: 5 }));
      if (n % 23 === 0) told.splice(1, 1)[0]?.subscription.close();
      if (line === 'cuts' && n % 50 === 49) {
        cut();
        restore();
      }
    }
    await expect.poll(() => told.every(({ events }) => events.at(-1)?.data === 399), { timeout: 10_000 }).toBe(true);
    for (const { events } of told) {
      const first = Number(events[0]!.data);
      expect(events.map(({ data }) => data)).toEqual(Array.from({ length: 400 - first }, (_, index) => first + index));
    }
  });

  it('is given all of a long history', async () => {
    const { app, link } = system();
    for (let n = 0; n < 2500; n += 500) await app.publish('t', ...Array.from({ length: 500 }, (_, index) => n + index));
    const told = listen(link, 't', { after: 'earliest' });
    await untilLive(told);
    expect(told.data()).toEqual(Array.from({ length: 2500 }, (_, index) => index));
  });

  it('hears ephemeral events, which move nothing', async () => {
    const { app, link } = system();
    const told = listen(link, 't');
    await untilLive(told);
    const before = told.subscription.cursor;
    app.realtime.publishEphemeral('t', { data: 'typing' });
    await expect.poll(told.data).toEqual(['typing']);
    expect(told.subscription.cursor).toBe(before);
  });

  it('goes on when an observer throws, which is told', async () => {
    const { app, link, errors } = system();
    const seen: unknown[] = [];
    const subscription = link.subscribe(
      't',
      {},
      {
        onEvent({ data }) {
          seen.push(data);
          throw new Error('of the application');
        },
      },
    );
    await expect.poll(() => subscription.state.kind).toBe('live');
    await app.publish('t', 1, 2);
    await expect.poll(() => seen).toEqual([1, 2]);
    expect(errors).toMatchObject([{ message: 'of the application' }, { message: 'of the application' }]);
  });
});

describe('a gap', () => {
  /** A log that has let go of all but its newest event. */
  async function pruned(told: (link: ReturnType<typeof system>['link']) => ReturnType<typeof listen>) {
    const store = createMemoryStore();
    const made = system({ realtime: { store }, random: () => 0 });
    const before = told(made.link);
    await untilLive(before);
    await made.app.publish('t', 1);
    await expect.poll(() => before.data().at(-1)).toBe(1);
    made.cut();
    await made.app.publish('t', 2, 3, 4);
    await store.log.prune(() => ({ events: 1 }), Date.now());
    made.restore();
    return { ...made, told: before };
  }

  it('is told, and what there is follows', async () => {
    const { told } = await pruned((link) => listen(link, 't'));
    await expect.poll(told.data).toEqual([1, 4]);
    expect(told.gaps).toMatchObject([{ topic: 't', reason: 'expired' }]);
  });

  it('makes a subscription that began with history begin again, where nobody listens for it', async () => {
    const data: unknown[] = [];
    const { told } = await pruned((link) => ({
      ...listen(link, 'other'),
      subscription: link.subscribe('t', { last: 5 }, { onEvent: (event) => data.push(event.data) }),
      data: () => data,
    }));
    await expect.poll(told.data).toEqual([1, 4]);
    await untilLive(told);
  });
});

describe('a loop over a subscription', () => {
  it('is given every event, and ends when the subscription is closed', async () => {
    const { app, link } = system();
    const subscription = link.subscribe<number>('t');
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { data } of subscription) {
        seen.push(data);
        if (data === 3) subscription.close();
      }
    })();
    await expect.poll(() => subscription.state.kind).toBe('live');
    await app.publish('t', 1, 2, 3);
    await loop;
    expect(seen).toEqual([1, 2, 3]);
  });

  it('that is slow makes nothing grow, and misses nothing', async () => {
    const { app, link, requests } = system();
    const subscription = link.subscribe<number>('t');
    const iterator = subscription[Symbol.asyncIterator]();
    // It listens from the first call on.
    let next: ReturnType<typeof iterator.next> | undefined = iterator.next();
    await expect.poll(() => subscription.state.kind).toBe('live');
    for (let n = 0; n < 5000; n += 500) await app.publish('t', ...Array.from({ length: 500 }, (_, index) => n + index));
    // It holds a thousand, and stops reading.
    await expect.poll(() => link.status.state).toBe('disconnected');
    expect(subscription.cursor).toMatch(/-1[0-9]{3}$/);
    const before = requests.length;
    const seen: number[] = [];
    while (seen.length < 5000) {
      const { value } = await (next ?? iterator.next());
      next = undefined;
      seen.push(value.data);
    }
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, index) => index));
    expect(requests.length).toBeGreaterThan(before);
  });

  it('throws when the subscription is refused', async () => {
    const { link } = system({ claims: { sub: 'x', subscribe: [] } });
    const next = link.subscribe('t')[Symbol.asyncIterator]().next();
    await expect(next).rejects.toMatchObject({ name: 'SubscriptionRefused', code: 'forbidden' });
  });
});
