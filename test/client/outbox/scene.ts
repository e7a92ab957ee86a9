/** One tab, a browser around it and a model of the server, made anew for each test; time is the test's. */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { ModelServer } from './model-server.ts';
import { Browser, type Tab } from './tabs.ts';

/** The path of the record that {@link ModelServer} has from the beginning, in version 3. */
export const NOTE = '/v1/collections/notes/1';

export const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

export interface Scene {
  readonly browser: Browser;
  readonly server: ModelServer;
  /** The one that was opened last. */
  readonly tab: Tab;
  open(options?: Parameters<Browser['open']>[2]): Tab;
  /** The data of the events that were published, in the order in which they were applied. */
  data(): readonly unknown[];
}

/** To be called in the body of a file or of a `describe`. */
export function setScene(): Scene {
  let browser: Browser;
  let server: ModelServer;
  let tab: Tab;

  beforeEach(() => {
    vi.useFakeTimers();
    browser = new Browser();
    server = new ModelServer();
    server.records.set(NOTE, { version: 3, text: 'old', title: 'old' });
  });

  afterEach(async () => {
    tab?.outbox.close();
    await pass();
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    vi.useRealTimers();
  });

  return {
    get browser() {
      return browser;
    },
    get server() {
      return server;
    },
    get tab() {
      return tab;
    },
    open(options = {}) {
      // Half of the longest wait, each time.
      tab = browser.open(server, () => 0.5, options);
      return tab;
    },
    data: () => server.applied.flatMap(({ body }) => (body as { data: unknown }[]).map(({ data }) => data)),
  };
}
