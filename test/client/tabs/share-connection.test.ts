/** Several tabs in one process: each with locks, channel and life of its own, over one app. */
import { afterEach, describe, expect, it } from 'vitest';
import { openStream } from '../../../src/client/connection/stream-transport.ts';
import { type SharedConnection, shareConnection } from '../../../src/client/tabs/share-connection.ts';
import { TestApp } from '../../http/app.ts';
import { listen, type System, systems, untilLive } from '../links.ts';

const system = systems(afterEach);
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

interface Tab extends System {
  readonly share: SharedConnection;
  hidden: boolean;
  /** Closes it as the browser does: without a word. */
  kill(): void;
}

let count = 0;
function tabs() {
  count += 1;
  const name = `tabs-${count}`;
  const app = new TestApp();
  open.push({ close: () => app.realtime.close() });
  return {
    app,
    /** @param granted when the browser gives it the lock by which the others know that it lives */
    tab(granted: Promise<void> = Promise.resolve()): Tab {
      // Web Locks are held by whole processes: a tab that dies gives back what was granted to it.
      const held = new Set<() => void>();
      const locks = {
        request: async (lock: string, ...rest: unknown[]) => {
          const [options, callback] = rest.length === 1 ? [{}, rest[0]] : rest;
          if (rest.length === 1) await granted;
          return navigator.locks.request(lock, options as LockOptions, (granted) => {
            const work = (callback as LockGrantedCallback<unknown>)(granted);
            return Promise.race([work, new Promise<void>((resolve) => held.add(resolve))]);
          });
        },
      } as unknown as LockManager;
      const state = { hidden: false };
      const share = shareConnection({ name, locks, Channel: BroadcastChannel, hidden: () => state.hidden });
      const made = system({ app, open: (...all) => (share.elsewhere() ?? openStream)(...all), random: () => 0 });
      share.start(made.link);
      const close = () => {
        made.link.close();
        share.close();
      };
      let closed = false;
      open.push({ close: () => closed || close() });
      return Object.assign(state, made, {
        share,
        kill() {
          closed = true;
          close();
          for (const give of held) give();
        },
        get signals() {
          return made.signals;
        },
      });
    },
  };
}

const streams = async (app: TestApp) => (await app.json('/v1/streams')).body.streams.length;

describe('tabs of one browser', () => {
  it('read by one connection', async () => {
    const { app, tab } = tabs();
    const first = tab();
    const a = listen(first.link, 'a');
    await untilLive(a);
    const second = tab();
    const [b, also] = [listen(second.link, 'b'), listen(second.link, 'a')];
    await untilLive(b, also);
    expect([first.link.status.transport, second.link.status.transport]).toEqual(['stream', 'tab']);
    await app.publish('a', 1);
    await app.publish('b', 2);
    await expect.poll(() => [a.data(), b.data(), also.data()]).toEqual([[1], [2], [1]]);
    expect(await streams(app)).toBe(1);
    b.subscription.close();
    also.subscription.close();
    await expect.poll(async () => (await app.json('/v1/streams')).body.streams[0].topics).toEqual(['a']);
  });

  it('are not taken for gone while the browser has not given them their lock', async () => {
    const { app, tab } = tabs();
    const first = tab();
    await untilLive(listen(first.link, 'a'));
    const granted = Promise.withResolvers<void>();
    const second = tab(granted.promise);
    const b = listen(second.link, 'a');
    // Words to the others may be faster than the lock: another tab's come through meanwhile.
    await untilLive(listen(tab().link, 'b'));
    granted.resolve();
    await untilLive(b);
    await app.publish('a', 1);
    await expect.poll(b.data).toEqual([1]);
  });

  it('go on when the one that had it is closed, and miss and repeat nothing', async () => {
    const { app, tab } = tabs();
    const [first, second, third] = [tab(), tab(), tab()];
    const told = [first, second, third].map(({ link }) => listen(link, 't'));
    await untilLive(...told);
    await app.publish('t', 1);
    await expect.poll(() => told.map(({ data }) => data())).toEqual([[1], [1], [1]]);
    const leader = [first, second, third].findIndex(({ link }) => link.status.transport === 'stream');
    [first, second, third][leader]!.kill();
    await app.publish('t', 2);
    const left = told.filter((_, index) => index !== leader);
    await untilLive(...left);
    await app.publish('t', 3);
    await expect
      .poll(() => left.map(({ data }) => data()))
      .toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
    expect(await streams(app)).toBe(1);
  });

  it('go on when the one that had it is frozen, and it comes back as one of the others', async () => {
    const { app, tab } = tabs();
    const first = tab();
    const a = listen(first.link, 't');
    await untilLive(a);
    const second = tab();
    const b = listen(second.link, 't');
    await untilLive(b);
    first.share.suspend();
    await expect.poll(() => second.link.status.transport).toBe('stream');
    await untilLive(b);
    await app.publish('t', 1);
    await expect.poll(b.data).toEqual([1]);
    first.share.resume();
    await untilLive(a);
    await expect.poll(a.data).toEqual([1]);
    expect([first.link.status.transport, second.link.status.transport]).toEqual(['tab', 'stream']);
  });

  it('are all told when the connection is lost and when it is back', async () => {
    const { app, tab } = tabs();
    const [first, second] = [tab(), tab()];
    const told = [listen(first.link, 't'), listen(second.link, 't')];
    await untilLive(...told);
    for (const each of [first, second]) each.cut();
    await expect
      .poll(() => [first.link.status.state, second.link.status.state])
      .toEqual(['reconnecting', 'reconnecting']);
    await app.publish('t', 1);
    for (const each of [first, second]) each.restore();
    await untilLive(...told);
    await expect.poll(() => told.map(({ data }) => data())).toEqual([[1], [1]]);
  });

  it('are told of a refusal by the topic that it is about', async () => {
    const { app, tab } = tabs();
    const [first, second] = [tab(), tab()];
    const good = listen(second.link, 't');
    await untilLive(listen(first.link, 'x'), good);
    const bad = listen(second.link, 't', { filter: 'nonsense' });
    await expect.poll(() => bad.subscription.state).toMatchObject({ kind: 'refused' });
    await app.publish('t', 1);
    await expect.poll(good.data).toEqual([1]);
  });
});
