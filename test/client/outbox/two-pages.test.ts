/** Two pages of a real Chromium: its own IndexedDB, Web Locks and BroadcastChannel, and a server that answers, or does not. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../../browser/chromium.ts';
import { until } from '../../support/until.ts';
import { type Pages, servePages } from './pages.ts';

describe.skipIf(CHROMIUM === undefined)('two pages', () => {
  let browser: Browser;
  let pages: Pages;
  let context: BrowserContext;
  let first: Page;
  let second: Page;

  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await begin(page, 'goto');
    return page;
  };

  async function begin(page: Page, by: 'goto' | 'reload'): Promise<void> {
    await (by === 'goto' ? page.goto(pages.url) : page.reload());
    await page.waitForFunction(() => 'openOutbox' in globalThis);
    await page.evaluate(async () => {
      Object.assign(globalThis, { outbox: await (globalThis as any).openOutbox('ada') });
    });
  }

  /** Enqueues numbers, and resolves when they are stored. */
  const enqueue = (page: Page, topic: string, from: number, to: number): Promise<void> =>
    page.evaluate(
      async ([name, least, most]) => {
        for (let data = least; data <= most; data += 1)
          await (globalThis as any).outbox.enqueue({ kind: 'publish', topic: name, events: [{ data }] }).queued;
      },
      [topic, from, to] as const,
    );
  const pending = (page: Page): Promise<number> => page.evaluate(() => (globalThis as any).outbox.pending().length);
  const holders = async (page: Page): Promise<number> =>
    page.evaluate(async () => (await navigator.locks.query()).held?.length ?? 0);

  beforeAll(async () => {
    pages = await servePages();
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  });

  beforeEach(async () => {
    pages.mode = 'answer';
    context = await browser.newContext();
    first = await open();
    second = await open();
  });

  afterEach(async () => {
    await context.close();
  });

  it('have one that drains for both', async () => {
    await until('somebody drains', async () => (await holders(first)) === 1);
    await enqueue(second, 'calm:b', 1, 20);
    await enqueue(first, 'calm:a', 1, 20);
    await until('all is sent', async () => (await pending(first)) + (await pending(second)) === 0);
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
    expect(pages.applied.get('calm:a')).toEqual(numbers);
    expect(pages.applied.get('calm:b')).toEqual(numbers);
    expect(new Set(pages.attempts.values())).toEqual(new Set([1]));
  });

  it('lose nothing and repeat nothing when the one that drains is gone in the middle, and the other is reloaded', async () => {
    await until('the first drains', async () => (await holders(first)) === 1);
    // Applied, but nobody knows.
    pages.mode = 'lose';
    await enqueue(first, 'storm:a', 1, 10);
    await enqueue(second, 'storm:b', 1, 10);
    await until('one of each is applied', () => pages.applied.has('storm:a') && pages.applied.has('storm:b'));
    pages.mode = 'refuse';
    await first.close({ runBeforeUnload: false });
    await until('the second drains', async () => (await holders(second)) === 1);
    await enqueue(second, 'storm:b', 11, 20);
    await until('the second knows all', async () => (await pending(second)) === 30);
    await begin(second, 'reload');
    await until('it knows all', async () => (await pending(second)) === 30);
    pages.mode = 'answer';
    await second.evaluate(() => (globalThis as any).outbox.wake());
    await until('all is sent', async () => (await pending(second)) === 0);
    expect(pages.applied.get('storm:a')).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
    expect(pages.applied.get('storm:b')).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(Math.max(...pages.attempts.values())).toBeGreaterThan(1);
  });

  it('confirm to the page that enqueued what the other has sent', async () => {
    await until('the first drains', async () => (await holders(first)) === 1);
    const body = await second.evaluate(async () => {
      const { outbox } = globalThis as any;
      return (await outbox.enqueue({ kind: 'publish', topic: 'told', events: [{ data: 1 }] }).confirmed).body;
    });
    expect(body).toMatchObject({ cursor: expect.stringMatching(/^e-/) });
  });
});
