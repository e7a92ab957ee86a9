/** The client where a browser lacks something: as older Safaris do, private windows, pages without TLS, and workers. */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../../browser/chromium.ts';
import { type Served, serveForTest } from '../../browser/served.ts';
import { until } from '../../support/until.ts';
import type { TabOptions } from './page.ts';
import { type Pages, servePages } from './pages.ts';
import { openTab, type Tab } from './tab.ts';

/** A name of this machine that a browser does not know to be one. */
const ELSEWHERE = 'sluice.test';

describe.skipIf(CHROMIUM === undefined)('the client', () => {
  let browser: Browser;
  let pages: Pages;
  let served: Served;
  let context: BrowserContext;
  let count = 0;
  let options: TabOptions;
  let topic: string;

  beforeAll(async () => {
    pages = await servePages();
    served = await serveForTest('serve', { CORS_ORIGINS: `${pages.url},${elsewhere()}` });
    browser = await launchChromium([`--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`]);
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await pages?.close();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    count += 1;
    topic = `lacks:${count}`;
    const user = `user-${count}`;
    const token = await served.token({ sub: user, sluice: { subscribe: ['**'], publish: ['**'] } });
    options = { url: served.url, token, user, topics: { [topic]: { after: 'earliest' } } };
  });

  afterEach(() => context.close());

  const elsewhere = (): string => pages.url.replace('127.0.0.1', ELSEWHERE);
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
    const tabs = await check(pages.url);
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
    await check(pages.url);
  });

  it('works in a page that was not loaded securely', async () => {
    const tabs = await check(elsewhere());
    expect(await tabs[0].page.evaluate(() => isSecureContext)).toBe(false);
  });

  it('works in a worker', async () => {
    const page = await context.newPage();
    await page.goto(pages.url);
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
