/** The client where a browser lacks something: as older Safaris do, private windows, pages without TLS, and workers. */
import type { BrowserContext } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM } from '../../browser/chromium.ts';
import { until } from '../../support/until.ts';
import type { TabOptions } from './page.ts';
import { setStage } from './stage.ts';
import { openTab, type Tab } from './tab.ts';

/** A name of this machine that a browser does not know to be one. */
const ELSEWHERE = 'sluice.test';
const elsewhere = (url: string): string => url.replace('127.0.0.1', ELSEWHERE);

describe.skipIf(CHROMIUM === undefined)('the client', () => {
  const stage = setStage({
    flags: [`--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`],
    origins: ({ url }) => `${url},${elsewhere(url)}`,
  });
  let context: BrowserContext;
  let count = 0;
  let options: TabOptions;
  let topic: string;

  beforeEach(async () => {
    context = await stage.browser.newContext();
    count += 1;
    topic = `lacks:${count}`;
    const user = `user-${count}`;
    const token = await stage.served.token({ sub: user, sluice: { subscribe: ['**'], publish: ['**'] } });
    options = { url: stage.served.url, token, user, topics: { [topic]: { after: 'earliest' } } };
  });

  afterEach(() => context.close());

  const data = async (tab: Tab) => (await tab.view()).topics[topic]!.events.map((event) => event.data);

  /** Two tabs write and read, one is reloaded, and the network goes and comes. */
  async function check(url: string): Promise<readonly [Tab, Tab]> {
    const tabs = [await openTab(context, url, options), await openTab(context, url, options)] as const;
    await tabs[0].call('publish', topic, [1]);
    for (const tab of tabs) await until('a tab is told', async () => (await data(tab)).length === 1);
    await tabs[1].call('publish', topic, [2]);
    for (const tab of tabs) await until('a tab is told', async () => (await data(tab)).length === 2);
    await context.setOffline(true);
    await tabs[1].call('publish', topic, [3]);
    await context.setOffline(false);
    await tabs[0].reload();
    for (const tab of tabs) {
      await until('a tab is told', async () => (await data(tab)).length === 3);
      await until('nothing waits', async () => (await tab.view()).waiting.length === 0);
      expect(await data(tab)).toEqual([1, 2, 3]);
      expect((await tab.view()).errors).toEqual([]);
    }
    return tabs;
  }

  it.for([
    { lacking: ['locks'] },
    { lacking: ['BroadcastChannel'] },
    { lacking: ['indexedDB'] },
    { lacking: ['randomUUID'] },
    { lacking: ['locks', 'BroadcastChannel', 'indexedDB', 'randomUUID', 'connection'] },
  ])('works without $lacking', async ({ lacking }) => {
    await context.addInitScript((names) => {
      const homes = [globalThis, Navigator.prototype, Crypto.prototype];
      for (const name of names)
        for (const home of homes)
          if (name in home) Object.defineProperty(home, name, { value: undefined, configurable: true });
    }, lacking);
    const tabs = await check(stage.pages.url);
    const transports = await Promise.all(tabs.map(async (tab) => (await tab.view()).status.transport));
    const shares = !lacking.includes('locks') && !lacking.includes('BroadcastChannel');
    expect(transports.toSorted()).toEqual(shares ? ['stream', 'tab'] : ['stream', 'stream']);
  });

  it('works where IndexedDB is there and refuses to open', async () => {
    await context.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('no', 'SecurityError');
      };
    });
    await check(stage.pages.url);
  });

  it('works in a page that was not loaded securely', async () => {
    const tabs = await check(elsewhere(stage.pages.url));
    expect(await tabs[0].page.evaluate(() => isSecureContext)).toBe(false);
  });

  it('works in a worker', async () => {
    const page = await context.newPage();
    await page.goto(stage.pages.url);
    const told = await page.evaluate(
      async (given) => {
        const text = `import '${location.origin}/page.js';
        onmessage = async ({ data: { options, topic } }) => {
          const tab = openTab(options);
          await tab.publish(topic, ['from a worker']);
          const look = setInterval(() => {
            const { events } = tab.view().topics[topic];
            if (events.length === 0) return;
            clearInterval(look);
            postMessage([events.map(({ data }) => data), tab.view().status.transport, tab.view().errors]);
          }, 5);
        };
        postMessage('ready');`;
        const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), {
          type: 'module',
        });
        return new Promise((resolve, reject) => {
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.onmessage = ({ data }) => (data === 'ready' ? worker.postMessage(given) : resolve(data));
        });
      },
      { options, topic },
    );
    expect(told).toEqual([['from a worker'], 'stream', []]);
  });
});
