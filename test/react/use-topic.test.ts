import { Activity, createElement, Fragment, type ReactNode } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { useTopic } from '../../src/react/index.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { closeAll, probe, render, settled, system, until } from './system.ts';

afterEach(closeAll);

const dataOf = ({ events }: ReturnType<typeof useTopic>) => events.map(({ data }) => data);

/** Shows something of a topic, cuts the line when that has come to event 1, and then all but the newest event is forgotten. */
async function afterGap(element: ReactNode, hasCome: () => boolean): Promise<void> {
  const store = createMemoryStore();
  const { app, client, cut, restore } = system({ store });
  await app.publish('t', 0);
  render(client, element);
  await until(() => client.status.state, 'connected');
  await app.publish('t', 1);
  await until(hasCome, true);
  cut();
  await app.publish('t', 2, 3, 4);
  await store.log.prune(() => ({ events: 1 }), Date.now());
  restore();
}

describe('useTopic', () => {
  it('gives the events that come, the newest of them, and how the subscription is', async () => {
    const { app, client } = system();
    const topic = probe(() => useTopic('t'));
    render(client, topic.element);
    expect(topic.shown).toEqual({ events: [], last: undefined, gap: undefined, state: { kind: 'waiting' } });
    await until(() => topic.shown.state.kind, 'live');
    await app.publish('t', 1, 2);
    await until(() => dataOf(topic.shown), [1, 2]);
    expect(topic.shown.last?.data).toBe(2);
  });

  it('keeps so many of the newest', async () => {
    const { app, client } = system();
    await app.publish('t', ...Array.from({ length: 130 }, (_, index) => index));
    const [all, two, none] = [
      probe(() => useTopic('t', { after: 'earliest' })),
      probe(() => useTopic('t', { after: 'earliest', keep: 2 })),
      probe(() => useTopic('t', { after: 'earliest', keep: 0 })),
    ];
    render(client, createElement(Fragment, null, all.element, two.element, none.element));
    await until(() => all.shown.last?.data, 129);
    expect(dataOf(all.shown)).toHaveLength(100);
    expect(dataOf(two.shown)).toEqual([128, 129]);
    expect([dataOf(none.shown), none.shown.last?.data]).toEqual([[], 129]);
  });

  it('renders once for what comes together, and not for what other components follow', async () => {
    const { app, client } = system();
    const [topic, other] = [probe(() => useTopic('t')), probe(() => useTopic('u'))];
    render(client, createElement(Fragment, null, topic.element, other.element));
    await until(() => [topic.shown.state.kind, other.shown.state.kind], ['live', 'live']);
    const before = [topic.renders, other.renders];
    await app.publish('t', ...Array.from({ length: 50 }, (_, index) => index));
    await until(() => topic.shown.last?.data, 49);
    expect(topic.renders - before[0]!).toBeLessThan(5);
    expect(other.renders).toBe(before[1]);
  });

  it('goes by what the options say, and not by which object they are', async () => {
    const sluice = system();
    let last = 1;
    const topic = probe(() => useTopic('t', { last, filter: ['n=gt.1', 'm=eq.2'], since: undefined }));
    await sluice.app.publish('t', { n: 2, m: 2 }, { n: 3, m: 2 });
    const { show } = render(sluice.client, topic.element);
    await until(() => dataOf(topic.shown), [{ n: 3, m: 2 }]);
    const [requests, { events }] = [sluice.requests.length, topic.shown];
    for (let again = 0; again < 3; again += 1) show(topic.element);
    await settled(sluice);
    expect(sluice.requests).toHaveLength(requests);
    expect(topic.shown.events).toBe(events);
    last = 2;
    show(topic.element);
    expect(topic.shown.events).toEqual([]);
    await until(() => dataOf(topic.shown).length, 2);
  });

  it('shows another topic when it is told another, without a moment of the old one, and none when it is told none', async () => {
    const { app, client } = system();
    await app.publish('a', 'of a');
    await app.publish('b', 'of b');
    let name: string | null = 'a';
    const topic = probe(() => useTopic(name, { last: 1 }));
    const { show } = render(client, topic.element);
    await until(() => dataOf(topic.shown), ['of a']);
    name = 'b';
    show(topic.element);
    expect(dataOf(topic.shown)).toEqual([]);
    await until(() => dataOf(topic.shown), ['of b']);
    expect([client.reads('a'), client.reads('b')]).toEqual([false, true]);
    name = null;
    show(topic.element);
    expect(topic.shown).toEqual({ events: [], last: undefined, gap: undefined, state: { kind: 'closed' } });
    await until(() => client.reads('b'), false);
  });

  it('reads once, however many components follow, and however often they mount', async () => {
    const sluice = system();
    const topic = probe(() => useTopic('t', { last: 5 }));
    render(sluice.client, createElement(Fragment, null, topic.element, topic.element), { strict: true });
    await until(() => topic.shown.state.kind, 'live');
    await settled(sluice);
    // One stream, and the history of each component.
    expect(sluice.requests.toSorted()).toEqual(['POST /v1/streams', 'POST /v1/streams', 'POST /v1/streams (stream)']);
  });

  it('leaves nothing behind', async () => {
    const { client } = system();
    const topic = probe(() => useTopic('t'));
    const { unmount } = render(client, topic.element, { strict: true });
    await until(() => topic.shown.state.kind, 'live');
    unmount();
    await until(() => client.reads('t'), false);
    await until(() => client.status.state, 'disconnected');
  });

  it('says why it is refused', async () => {
    const { make } = system();
    const topic = probe(() => useTopic('t'));
    render(make({ token: undefined }), topic.element);
    await until(() => topic.shown.state, { kind: 'refused', code: 'token-required' });
  });

  it('goes on where it stopped when it is shown again', async () => {
    const { app, client } = system();
    await app.publish('t', 1);
    const topic = probe(() => useTopic('t', { last: 1 }));
    const show = (mode: 'visible' | 'hidden') => createElement(Activity, { mode, ...{ children: topic.element } });
    const rendered = render(client, show('visible'));
    await until(() => dataOf(topic.shown), [1]);
    rendered.show(show('hidden'));
    await until(() => client.reads('t'), false);
    await app.publish('t', 2, 3);
    rendered.show(show('visible'));
    await until(() => dataOf(topic.shown), [1, 2, 3]);
  });

  it('goes on after a gap, and says what is missing', async () => {
    const topic = probe(() => useTopic('t'));
    await afterGap(topic.element, () => topic.shown.last?.data === 1);
    await until(() => dataOf(topic.shown), [1, 4]);
    expect(topic.shown.gap).toMatchObject({ topic: 't', reason: 'expired' });
  });

  it('that began with history begins with it again after a gap, and shows what it had until then', async () => {
    const lengths: number[] = [];
    const topic = probe(() => {
      const view = useTopic('t', { last: 5 });
      lengths.push(view.events.length);
      return view;
    });
    await afterGap(topic.element, () => topic.shown.last?.data === 1);
    await until(() => dataOf(topic.shown), [4]);
    expect(topic.shown.gap).toMatchObject({ reason: 'expired' });
    expect(lengths.slice(lengths.lastIndexOf(2))).not.toContain(0);
    await until(() => topic.shown.state.kind, 'live');
  });
});
