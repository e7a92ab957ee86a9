/** How history meets what a transport tells: with a transport that tells only what the test says. */
import { afterEach, describe, expect, it } from 'vitest';
import type { OpenTransport, TopicRequest, TransportObserver } from '../../../src/client/connection/transport.ts';
import { listen, systems } from '../links.ts';

const system = systems(afterEach);

/** A client over an app for pages, and a line on which the test speaks for the server. */
function setUp() {
  const line: { observer?: TransportObserver; readonly asked: TopicRequest[] } = { asked: [] };
  const openFake: OpenTransport = (topics, observer, { clock }) => {
    line.asked.push(...topics);
    line.observer = observer;
    return {
      kind: 'stream',
      lastHeard: clock,
      async change(add) {
        line.asked.push(...add);
        return undefined;
      },
      renew: async () => true,
      close() {},
    };
  };
  const seen: unknown[] = [];
  const { app, link, requests, errors, cut, restore } = system({
    elsewhere: () => openFake,
    random: () => 0.999,
    onEvent: ({ data }) => seen.push(data),
  });
  const tell = (id: string, data: unknown) =>
    line.observer?.event({ id, topic: 't', time: '2026-11-26T00:00:00.000Z', type: 'message', data });
  const open = () => line.observer?.open({ stream: '', heartbeat: 25, topics: ['t'] });
  return { app, link, requests, errors, seen, line, tell, open, cut, restore };
}

describe('history', () => {
  it('is read again up to where the line begins, when that is later than what was read', async () => {
    const { app, link, line, open, requests } = setUp();
    const [one = ''] = await app.publish('t', 1);
    const told = listen(link, 't', { after: 'earliest' });
    await expect.poll(told.data).toEqual([1]);
    const [two = ''] = await app.publish('t', 2);
    open();
    line.observer?.ready({ cursor: two });
    await expect.poll(told.data).toEqual([1, 2]);
    await expect.poll(() => told.subscription.state.kind).toBe('live');
    expect(requests).toEqual(['POST /v1/streams', 'POST /v1/streams']);
    expect(line.asked).toEqual([{ topic: 't', after: 'latest' }]);
    expect(one).not.toBe(two);
  });

  it('is joined by what the line told while it was being read, each event once', async () => {
    const { app, link, line, open, tell, errors } = setUp();
    const [one = ''] = await app.publish('t', 1);
    open();
    const told = listen(link, 't', { after: 'earliest' });
    await expect.poll(() => line.observer).toBeDefined();
    open();
    line.observer?.ready({ cursor: one });
    const [two = '', three = ''] = await app.publish('t', 2, 3);
    tell(two, 2);
    tell(three, 3);
    await expect.poll(told.data).toEqual([1, 2, 3]);
    await expect.poll(() => told.subscription.state.kind).toBe('live');
    const [four = ''] = await app.publish('t', 4);
    tell(four, 4);
    expect(told.data()).toEqual([1, 2, 3, 4]);
    expect([told.gaps, errors]).toEqual([[], []]);
  });

  it('is needed by no more than the page when the line begins where it ended', async () => {
    const { app, link, line, open, requests } = setUp();
    const [one = ''] = await app.publish('t', 1);
    const told = listen(link, 't', { after: 'earliest' });
    await expect.poll(told.data).toEqual([1]);
    open();
    line.observer?.ready({ cursor: one });
    expect(told.subscription.state.kind).toBe('live');
    expect(requests).toHaveLength(1);
  });

  it('is told to whoever is told every event, as what comes by the line is', async () => {
    const { app, link, line, open, tell, seen } = setUp();
    const [one = ''] = await app.publish('t', 1);
    const told = listen(link, 't', { after: 'earliest' });
    await expect.poll(told.data).toEqual([1]);
    open();
    line.observer?.ready({ cursor: one });
    const [two = ''] = await app.publish('t', 2);
    tell(two, 2);
    expect(told.data()).toEqual([1, 2]);
    expect(seen).toEqual([1, 2]);
  });

  it('is tried again at once when the line is live, however long the wait would have been', async () => {
    const { app, link, line, open, requests, cut, restore } = setUp();
    const [one = ''] = await app.publish('t', 1);
    cut();
    const told = listen(link, 't', { after: 'earliest' });
    // The third attempt would wait for two seconds.
    await expect.poll(() => requests.length, { timeout: 3000 }).toBe(2);
    restore();
    open();
    line.observer?.ready({ cursor: one });
    await expect.poll(told.data).toEqual([1]);
    await expect.poll(() => told.subscription.state.kind).toBe('live');
  });

  it('is read for a subscription that joins a line in the middle of many events, and none is missed or repeated', async () => {
    const { app, link, line, open, tell, errors } = setUp();
    const first = listen(link, 't');
    await expect.poll(() => line.observer).toBeDefined();
    open();
    const [zero = ''] = await app.publish('t', 0);
    line.observer?.ready({ cursor: zero });
    let last = 0;
    const publish = async () => {
      last += 1;
      const [id = ''] = await app.publish('t', last);
      tell(id, last);
    };
    for (let count = 0; count < 20; count += 1) await publish();
    const second = listen(link, 't', { after: 'earliest' });
    while (second.subscription.state.kind !== 'live') await publish();
    await publish();
    const all = Array.from({ length: last + 1 }, (_, data) => data);
    expect(second.data()).toEqual(all);
    expect(first.data()).toEqual(all.slice(1));
    expect([first.gaps, second.gaps, errors]).toEqual([[], [], []]);
  });
});
