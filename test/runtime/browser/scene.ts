/** Some tabs that read one topic, and what must be true of them together. */
import type { BrowserContext } from 'playwright-core';
import { expect } from 'vitest';
import { numbers, type Served } from '../../browser/served.ts';
import { until } from '../../support/until.ts';
import type { Pages } from './pages.ts';
import { openTab, type Tab } from './tab.ts';

export interface Scene {
  readonly context: BrowserContext;
  /** All that are open. */
  readonly tabs: Tab[];
  /** The one that has the connection. */
  leader(): Promise<Tab>;
  /** How many streams the server has of them. */
  streams(): Promise<number>;
  /** Publishes the next number, and waits until all tabs, or these, have been told it. */
  tell(to?: readonly Tab[]): Promise<void>;
  /** Each of these was told all that was published, once, in order. */
  check(...tabs: readonly Tab[]): Promise<void>;
}

let count = 0;

/** Opens so many tabs, and waits until they are live. */
export async function openScene(context: BrowserContext, pages: Pages, served: Served, size: number): Promise<Scene> {
  count += 1;
  const [user, topic] = [`user-${count}`, `tabs:${count}`];
  const token = await served.token({ sub: user, sluice: { subscribe: ['**'], publish: ['**'] } });
  const admin = { Authorization: `Bearer ${await served.token({ sub: 'root', sluice: { admin: true } })}` };
  const tabs: Tab[] = [];
  let last = 0;
  const told = async (tab: Tab) => (await tab.view()).topics[topic]!;
  for (let opened = 0; opened < size; opened += 1) {
    const topics = { [topic]: { after: 'earliest' } };
    const tab = await openTab(context, pages.url, { url: served.url, token, user, topics });
    await until('the tab is live', async () => (await told(tab)).state === 'live');
    tabs.push(tab);
  }
  return {
    context,
    tabs,
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
}
