/** A tab of Chromium that runs the client, from outside. */
import type { BrowserContext, Page } from 'playwright-core';
import type { PageTab, TabOptions, TabView } from './page.ts';

type Calls = Omit<PageTab, 'client' | 'statuses'>;

export interface Tab {
  readonly page: Page;
  /** Calls a function of the page. Rejects when the page is gone before it has answered. */
  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>>;
  view(): Promise<TabView>;
  /** Opens the client of a page that was loaded again. */
  begin(): Promise<void>;
  /** Loads the page again, also where there is no network. */
  reload(offline?: boolean): Promise<void>;
  /** The page is gone at once, as when the browser's process of it fails. */
  crash(): Promise<void>;
  /** As a browser does with pages that nobody sees: this one must be hidden. */
  setFrozen(frozen: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Opens a page, and its client. */
export async function openTab(context: BrowserContext, url: string, options: TabOptions): Promise<Tab> {
  const page = await context.newPage();
  const load = async (): Promise<void> => {
    await page.goto(url);
    await begin();
  };

  async function begin(): Promise<void> {
    await page.waitForFunction(() => 'openTab' in globalThis);
    await page.evaluate((given) => {
      Object.assign(globalThis, { tab: (globalThis as any).openTab(given) });
    }, options);
  }

  await load();
  const call: Tab['call'] = (name, ...args) =>
    page.evaluate(([method, given]) => (globalThis as any).tab[method](...given), [name, args] as const);
  return {
    page,
    call,
    view: () => call('view'),
    begin,
    async reload(offline = false) {
      if (offline) {
        // A reload asks the server again; a visit takes what the browser has.
        await page.goto('about:blank');
        await load();
      } else {
        await page.reload();
        await begin();
      }
    },
    async crash() {
      const session = await page.context().newCDPSession(page);
      const crashed = new Promise<unknown>((resolve) => page.once('crash', resolve));
      // It is not answered: who would.
      session.send('Page.crash').catch(() => undefined);
      await crashed;
      await page.close();
    },
    async setFrozen(frozen) {
      const session = await page.context().newCDPSession(page);
      await session.send('Page.setWebLifecycleState', { state: frozen ? 'frozen' : 'active' });
      await session.detach();
    },
    close: () => page.close({ runBeforeUnload: false }),
  };
}
