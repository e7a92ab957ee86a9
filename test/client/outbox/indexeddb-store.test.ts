/** The store on the IndexedDB of a real Chromium. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openIndexedDbStore } from '../../../src/client/outbox/indexeddb-store.ts';
import { CHROMIUM, launchChromium } from '../../browser/chromium.ts';
import { type Pages, servePages } from './pages.ts';
import { STORE_PROMISES } from './store-contract.ts';

describe('where there is no IndexedDB', () => {
  it('opens no store', async () => {
    expect(await openIndexedDbStore(undefined, 'none')).toBeUndefined();
  });
});

describe.skipIf(CHROMIUM === undefined)('in Chromium', () => {
  let browser: Browser;
  let pages: Pages;
  let page: Page;

  beforeAll(async () => {
    pages = await servePages();
    browser = await launchChromium();
    page = await browser.newPage();
  });

  beforeEach(async () => {
    await page.goto(pages.url);
    await page.waitForFunction(() => 'checkPromise' in globalThis);
  });

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  });

  describe('the store contract: IndexedDB', () => {
    it.each(Object.keys(STORE_PROMISES))('%s', async (title) => {
      await page.evaluate((each) => (globalThis as any).checkPromise(each), title);
    });
  });

  it('keeps what it holds over a reload', async () => {
    await page.evaluate(async () => {
      const { openStore, change, kept } = globalThis as any;
      await change(await openStore('reloaded'), [kept(5, { id: 'kept' })]);
    });
    await page.reload();
    await page.waitForFunction(() => 'openStore' in globalThis);
    const entries = await page.evaluate(async () => {
      const { openStore, entriesOf } = globalThis as any;
      return entriesOf(await openStore('reloaded'));
    });
    expect(entries).toMatchObject([{ id: 'kept', seq: 5 }]);
  });

  it('lets the database be deleted, and goes on with an empty one', async () => {
    const seen = await page.evaluate(async () => {
      const { openStore, change, kept, entriesOf } = globalThis as any;
      const store = await openStore('deleted');
      await change(store, [kept(1)]);
      await new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase('deleted');
        request.onsuccess = () => resolve();
        request.onblocked = () => reject(new Error('blocked'));
      });
      const empty = await entriesOf(store);
      await change(store, [kept(2)]);
      return [empty, await entriesOf(store)];
    });
    expect(seen).toMatchObject([[], [{ seq: 2 }]]);
  });

  it('says `storage` where a newer version of the database has come', async () => {
    const failed = await page.evaluate(async () => {
      const { openStore, change, kept } = globalThis as any;
      const store = await openStore('newer');
      const newer = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('newer', 2);
        request.onsuccess = () => resolve(request.result);
      });
      const code = await change(store, [kept(1)]).catch((error: any) => error.code);
      const other = await (globalThis as any).openIndexedDbStore(indexedDB, 'newer');
      newer.close();
      return [code, other === undefined];
    });
    expect(failed).toEqual(['storage', true]);
  });

  it('changes nothing where a step fails', async () => {
    const seen = await page.evaluate(async () => {
      const { openStore, change, kept, entriesOf } = globalThis as any;
      const store = await openStore('failing');
      await change(store, [kept(1)]);
      // No database takes functions.
      const code = await change(store, [kept(2), kept(3, { write: () => {} })], [1]).catch((error: any) => error.code);
      return [code, await entriesOf(store)];
    });
    expect(seen).toMatchObject(['storage', [{ seq: 1 }]]);
  });

  it('says `quota` when there is no more room, changes nothing, and goes on when there is', async () => {
    // In a profile of its own: Chromium remembers for a while how much room there was.
    const context = await browser.newContext();
    const narrow = await context.newPage();
    await narrow.goto(pages.url);
    await narrow.waitForFunction(() => 'openStore' in globalThis);
    const session = await context.newCDPSession(narrow);
    const origin = pages.url;
    const fill = () =>
      narrow.evaluate(async () => {
        const { openStore, change, kept, entriesOf } = globalThis as any;
        const store = await openStore('full');
        const code = await change(store, [kept(1, { write: 'x'.repeat(3_000_000) })]).then(
          () => 'done',
          (error: any) => error.code,
        );
        const { length } = await entriesOf(store);
        store.close();
        return [code, length];
      });
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 100_000 });
    expect(await fill()).toEqual(['quota', 0]);
    await session.send('Storage.overrideQuotaForOrigin', { origin });
    expect(await fill()).toEqual(['done', 1]);
    await context.close();
  });

  it('is not opened in a frame without an origin', async () => {
    const opened = await page.evaluate(async () => {
      const frame = document.createElement('iframe');
      frame.setAttribute('sandbox', 'allow-scripts');
      const heard = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data)));
      frame.srcdoc = `<script type="module">
        ${await (await fetch('/page.js')).text()}
        const store = await openIndexedDbStore(indexedDB, 'forbidden');
        parent.postMessage(String(store === undefined), '*');
      </script>`;
      document.body.append(frame);
      return heard;
    });
    expect(opened).toBe('true');
  });
});
