/** What becomes of a page of a real Chromium: left and come back to, reloaded, without room, its clock set. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM } from '../../browser/chromium.ts';
import { numbers, type Served, serveForTest } from '../../browser/served.ts';
import { until } from '../../support/until.ts';
import { type Pages, servePages } from './pages.ts';
import { launchPlainChromium, type PlainChromium } from './plain-chromium.ts';
import { openTab, type Tab } from './tab.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe.skipIf(CHROMIUM === undefined)('a page', () => {
  let pages: Pages;
  let served: Served;
  let chromium: PlainChromium;
  let count = 0;
  let topic: string;

  beforeAll(async () => {
    pages = await servePages();
    served = await serveForTest('serve', { CORS_ORIGINS: pages.url });
  });
  afterAll(async () => {
    await served?.close();
    await pages?.close();
  });
  beforeEach(async () => {
    chromium = await launchPlainChromium();
    count += 1;
    topic = `life:${count}`;
  });
  afterEach(() => chromium.close());

  async function open(): Promise<Tab> {
    const user = `user-${count}`;
    const token = await served.token({ sub: user, sluice: { subscribe: ['**'], publish: ['**'] } });
    const topics = { [topic]: { after: 'earliest' } };
    const tab = await openTab(chromium.context, pages.url, { url: served.url, token, user, topics });
    await until('the page is live', async () => (await told(tab)).state === 'live');
    return tab;
  }

  const told = async (tab: Tab) => (await tab.view()).topics[topic]!;
  const data = async (tab: Tab) => (await told(tab)).events.map((event) => event.data);
  const untilTold = (tab: Tab, last: number) =>
    until(`the page is told ${last}`, async () => (await data(tab)).at(-1) === last);
  const untilSent = (tab: Tab) => until('nothing waits', async () => (await tab.view()).waiting.length === 0);
  const log = async (tab: Tab) => {
    await untilSent(tab);
    return data(tab);
  };

  /** Leaves the page, and comes back. @returns whether the browser has kept it meanwhile, as it was */
  async function leave(tab: Tab, meanwhile: () => Promise<void>): Promise<boolean> {
    await tab.page.goto(`${pages.url}/elsewhere`);
    await meanwhile();
    // A page that was kept is not loaded again.
    await tab.page.goBack({ waitUntil: 'commit' });
    const kept = await tab.page.evaluate(() => 'tab' in globalThis);
    if (!kept) await tab.begin();
    return kept;
  }

  it('that is left and come back to is kept by the browser, and goes on where it was', async () => {
    const tab = await open();
    await served.publishNumbers(topic, 1, 2);
    await untilTold(tab, 2);
    expect(await leave(tab, () => served.publishNumbers(topic, 3, 4))).toBe(true);
    await untilTold(tab, 4);
    await tab.call('publish', topic, [5]);
    await untilTold(tab, 5);
    expect(await log(tab)).toEqual(numbers(1, 5));
  });

  it('that is left while another has the connection goes on where it was, kept by the browser or not', async () => {
    const tabs = [await open(), await open()] as const;
    await served.publishNumbers(topic, 1, 2);
    for (const [index, tab] of tabs.entries()) {
      const other = tabs[1 - index]!;
      await untilTold(tab, 2 + index * 3);
      await leave(tab, async () => {
        await served.publishNumbers(topic, 3 + index * 3, 4 + index * 3);
        await untilTold(other, 4 + index * 3);
      });
      await untilTold(tab, 4 + index * 3);
      await tab.call('publish', topic, [5 + index * 3]);
      for (const each of tabs) await untilTold(each, 5 + index * 3);
    }
    for (const tab of tabs) expect(await log(tab)).toEqual(numbers(1, 8));
  });

  it('that is reloaded while writes wait sends them once, in their order', async () => {
    const tab = await open();
    await chromium.context.setOffline(true);
    for (const number of numbers(1, 20)) await tab.call('publish', topic, [number]);
    await tab.reload(true);
    await tab.call('publish', topic, [21]);
    await chromium.context.setOffline(false);
    await untilTold(tab, 21);
    expect(await log(tab)).toEqual(numbers(1, 21));
  });

  it('that has no room left says so of each write, and goes on when there is room', async () => {
    const tab = await open();
    const session = await chromium.context.newCDPSession(tab.page);
    await chromium.context.setOffline(true);
    await session.send('Storage.overrideQuotaForOrigin', { origin: pages.url, quotaSize: 1 });
    const large = 'x'.repeat(200_000);
    await expect(tab.call('publish', topic, [large])).rejects.toThrow(/quota/);
    expect((await tab.view()).status).toMatchObject({ queued: 0, dead: 0 });
    await session.send('Storage.overrideQuotaForOrigin', { origin: pages.url });
    await tab.call('publish', topic, [1]);
    await chromium.context.setOffline(false);
    await untilTold(tab, 1);
    expect(await log(tab)).toEqual([1]);
  });

  it.for([DAY_MS, -DAY_MS])('whose clock is set by %i ms goes on, and writes what waits once', async (by) => {
    const tab = await open();
    await tab.page.evaluate((ms) => {
      const now = Date.now;
      Object.assign(globalThis, {
        setClock: () => {
          Date.now = () => now() + ms;
        },
      });
    }, by);
    await served.publishNumbers(topic, 1, 1);
    await untilTold(tab, 1);
    await chromium.context.setOffline(true);
    await tab.call('publish', topic, [2]);
    await tab.page.evaluate(() => (globalThis as any).setClock());
    await tab.call('publish', topic, [3]);
    await chromium.context.setOffline(false);
    await untilTold(tab, 3);
    await served.publishNumbers(topic, 4, 4);
    await untilTold(tab, 4);
    expect(await log(tab)).toEqual(numbers(1, 4));
    expect((await tab.view()).dead).toEqual([]);
  });
});
