/** Several tabs of a real Chromium: which of them has the connection, and what becomes of the others when it is gone. */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../../browser/chromium.ts';
import { numbers, type Served, serveForTest } from '../../browser/served.ts';
import { until } from '../../support/until.ts';
import { type Pages, servePages } from './pages.ts';
import { openTab, type Tab } from './tab.ts';

describe.skipIf(CHROMIUM === undefined)('tabs of one browser', () => {
  let browser: Browser;
  let pages: Pages;
  let served: Served;
  let count = 0;

  beforeAll(async () => {
    pages = await servePages();
    served = await serveForTest('serve', { CORS_ORIGINS: pages.url });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await pages?.close();
  });

  interface Scene {
    readonly context: BrowserContext;
    readonly topic: string;
    /** All that are open. */
    readonly tabs: Tab[];
    open(): Promise<Tab>;
    leader(): Promise<Tab>;
    /** How many streams the server has of them. */
    streams(): Promise<number>;
    /** Publishes the next number, and waits until all tabs, or these, have been told it. */
    tell(to?: readonly Tab[]): Promise<void>;
    /** What each tab was told must be all that was published since it was there. */
    check(...tabs: readonly Tab[]): Promise<void>;
  }

  async function inScene(size: number, work: (scene: Scene) => Promise<void>): Promise<void> {
    count += 1;
    const user = `user-${count}`;
    const topic = `tabs:${count}`;
    const token = await served.token({ sub: user, sluice: { subscribe: ['**'], publish: ['**'] } });
    const admin = { Authorization: `Bearer ${await served.token({ sub: 'root', sluice: { admin: true } })}` };
    const context = await browser.newContext();
    const tabs: Tab[] = [];
    let last = 0;
    const told = async (tab: Tab) => (await tab.view()).topics[topic]!;
    const scene: Scene = {
      context,
      topic,
      tabs,
      async open() {
        const tab = await openTab(context, pages.url, {
          url: served.url,
          token,
          user,
          topics: { [topic]: { after: 'earliest' } },
        });
        await until('the tab is live', async () => (await told(tab)).state === 'live');
        tabs.push(tab);
        return tab;
      },
      async leader() {
        const transports = await Promise.all(tabs.map(async (tab) => (await tab.view()).status.transport));
        const leaders = tabs.filter((_, index) => transports[index] === 'stream');
        expect(leaders).toHaveLength(1);
        return leaders[0]!;
      },
      async streams() {
        const { streams } = (await (await fetch(`${served.url}/v1/streams`, { headers: admin })).json()) as any;
        return streams.filter(({ sub }: any) => sub === user).length;
      },
      async tell(to = tabs) {
        last += 1;
        const number = last;
        await served.publishNumbers(topic, number, number);
        for (const tab of to)
          await until(`a tab is told ${number}`, async () => (await told(tab)).events.at(-1)?.data === number);
      },
      async check(...some) {
        for (const tab of some) {
          const { events, gaps } = await told(tab);
          expect(events.map(({ data }) => data)).toEqual(numbers(1, last));
          expect(gaps).toEqual([]);
        }
      },
    };
    try {
      for (let opened = 0; opened < size; opened += 1) await scene.open();
      await work(scene);
    } finally {
      await context.close();
    }
  }

  /** What the page is told of whether anybody sees it. */
  const setHidden = (tab: Tab, hidden: boolean) =>
    tab.page.evaluate((now) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => now });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);

  it.concurrent('have one stream, by which all of them are told', () =>
    inScene(4, async ({ tabs, tell, streams, leader, check }) => {
      await tell();
      await leader();
      expect(await streams()).toBe(1);
      for (const tab of tabs) await setHidden(tab, true);
      await tell();
      expect(await streams()).toBe(1);
      await check(...tabs);
    }));

  it.concurrent.for(['closes', 'crashes', 'is reloaded'] as const)(
    'have another that takes over when the one with the connection %s',
    { timeout: 60_000 },
    (how) =>
      inScene(3, async ({ tabs, tell, streams, leader, check }) => {
        for (const _ of ['once', 'and again']) {
          await tell();
          const old = await leader();
          const left = tabs.filter((tab) => tab !== old);
          if (how === 'is reloaded') await old.reload();
          else {
            tabs.splice(tabs.indexOf(old), 1);
            await (how === 'closes' ? old.close() : old.crash());
          }
          await tell(left);
          await until('there is one stream', async () => (await streams()) === 1);
          await tell();
          await leader();
        }
        await check(...tabs);
      }),
  );

  it.concurrent('have another that takes over while the one with the connection is frozen, and tell it all when it comes back', () =>
    inScene(2, async ({ tabs, tell, streams, leader, check }) => {
      await tell();
      const frozen = await leader();
      const other = tabs.find((tab) => tab !== frozen)!;
      await frozen.setFrozen(true);
      await tell([other]);
      await tell([other]);
      await frozen.setFrozen(false);
      await tell();
      expect(await leader()).toBe(other);
      expect(await streams()).toBe(1);
      await check(...tabs);
    }));

  it.concurrent('take the connection from one that hangs without a word', { timeout: 60_000 }, () =>
    inScene(2, async ({ context, tabs, tell, streams, leader, check }) => {
      await tell();
      const hung = await leader();
      const other = tabs.find((tab) => tab !== hung)!;
      const session = await context.newCDPSession(hung.page);
      await session.send('Debugger.enable');
      await session.send('Debugger.pause');
      await tell([other]);
      expect((await other.view()).status.transport).toBe('stream');
      await session.send('Debugger.resume');
      await session.detach();
      await tell();
      expect(await leader()).toBe(other);
      await until('there is one stream', async () => (await streams()) === 1);
      await check(...tabs);
    }),
  );

  it.concurrent('take the connection from one that nobody sees and that has none', { timeout: 60_000 }, () =>
    inScene(2, async ({ context, tabs, tell, leader, check }) => {
      await tell();
      const hidden = await leader();
      const seen = tabs.find((tab) => tab !== hidden)!;
      await setHidden(hidden, true);
      const session = await context.newCDPSession(hidden.page);
      const conditions = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await session.send('Network.enable');
      await session.send('Network.emulateNetworkConditions', { offline: true, ...conditions });
      await tell([seen]);
      expect((await seen.view()).status.transport).toBe('stream');
      await session.send('Network.emulateNetworkConditions', { offline: false, ...conditions });
      await tell();
      expect(await leader()).toBe(seen);
      await check(...tabs);
    }),
  );
});
