/** The client in a real Chromium, behind a real nginx that buffers, cuts, and goes away. */
import type { BrowserContext } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHROMIUM } from '../../browser/chromium.ts';
import { numbers } from '../../browser/served.ts';
import { NGINX, type Nginx, startNginx } from '../../proxy/nginx.ts';
import { until } from '../../support/until.ts';
import { setStage } from './stage.ts';
import { openTab, type Tab } from './tab.ts';

const CALM = ['proxy_http_version 1.1', 'proxy_read_timeout 60s'];
/** Takes our request not to buffer for nothing. By HTTP/1.0, as nginx does unless told, it waits for whole buffers. */
const BUFFERING = ['proxy_read_timeout 60s', 'proxy_buffering on', 'proxy_ignore_headers X-Accel-Buffering'];
/** A stream without heartbeats in time is cut; ours come after 25 s. */
const IMPATIENT = ['proxy_http_version 1.1', 'proxy_read_timeout 6s'];

describe.skipIf(CHROMIUM === undefined || NGINX === undefined)('a tab behind nginx', () => {
  const stage = setStage();
  let nginx: Nginx;
  let context: BrowserContext;
  let count = 0;
  let topic: string;

  beforeEach(async () => {
    context = await stage.browser.newContext();
    count += 1;
    topic = `nginx:${count}`;
  });

  afterEach(async () => {
    await context.close();
    await nginx.close();
  });

  async function open(directives: readonly string[]): Promise<Tab> {
    nginx = await startNginx(stage.served.url, directives);
    const token = await stage.served.token({ sub: 'ada', sluice: { subscribe: ['**'], publish: ['**'] } });
    return openTab(context, stage.pages.url, { url: nginx.url, token, user: 'ada', topics: { [topic]: {} } });
  }

  const told = async (tab: Tab) => (await tab.view()).topics[topic]!;
  const data = async (tab: Tab) => (await told(tab)).events.map((event) => event.data);
  const untilTold = (tab: Tab, last: number) =>
    until(`the tab has ${last}`, async () => (await data(tab)).includes(last));
  const untilLive = (tab: Tab) => until('the tab is live', async () => (await told(tab)).state === 'live');
  const untilTransport = (tab: Tab, transport: string) =>
    until(`the tab reads by ${transport}`, async () => {
      const { status } = await tab.view();
      return status.state === 'connected' && status.transport === transport;
    });

  it('that holds streams back reads by long polls and says why, and by streams again when the network changes', async () => {
    const tab = await open(BUFFERING);
    await untilTransport(tab, 'poll');
    await untilLive(tab);
    expect((await tab.view()).status.obstacle).toBe('first-bytes-late');
    await stage.served.publishNumbers(topic, 1, 3);
    await untilTold(tab, 3);
    await tab.call('publish', topic, [4]);
    await untilTold(tab, 4);

    // Still so: a stream is tried, does not come through, and polls go on where they were.
    await context.setOffline(true);
    await stage.served.publishNumbers(topic, 5, 6);
    await context.setOffline(false);
    await untilTold(tab, 6);
    await untilTransport(tab, 'poll');

    await nginx.kill();
    await stage.served.publishNumbers(topic, 7, 8);
    await nginx.restart(CALM);
    await untilTold(tab, 8);
    await context.setOffline(true);
    await context.setOffline(false);
    await untilTransport(tab, 'stream');
    await untilLive(tab);
    await stage.served.publishNumbers(topic, 9, 10);
    await untilTold(tab, 10);
    expect(await data(tab)).toEqual(numbers(1, 10));
    expect((await tab.view()).status.obstacle).toBeUndefined();
    expect((await told(tab)).gaps).toEqual([]);
  });

  it('that no longer holds streams back finds it out by itself when the time has come', async () => {
    await context.clock.install();
    const tab = await open(BUFFERING);
    await untilTransport(tab, 'poll');
    await nginx.kill();
    await nginx.restart(CALM);
    await untilTransport(tab, 'poll');
    await stage.served.publishNumbers(topic, 1, 2);
    await untilTold(tab, 2);
    await context.clock.fastForward(61_000);
    await untilTransport(tab, 'stream');
    await untilLive(tab);
    await stage.served.publishNumbers(topic, 3, 4);
    await untilTold(tab, 4);
    expect(await data(tab)).toEqual(numbers(1, 4));
  });

  it('that cuts quiet streams comes back each time, and misses nothing', { timeout: 60_000 }, async () => {
    const tab = await open(IMPATIENT);
    await untilLive(tab);
    const losses = () =>
      tab.page.evaluate(
        () => (globalThis as any).tab.statuses.filter(({ trouble }: any) => trouble?.kind === 'lost').length,
      );
    for (const round of [0, 1]) {
      await stage.served.publishNumbers(topic, round * 4 + 1, round * 4 + 2);
      await untilTold(tab, round * 4 + 2);
      const before = await losses();
      await until('nginx has cut the stream', async () => (await losses()) > before);
      await stage.served.publishNumbers(topic, round * 4 + 3, round * 4 + 4);
      await untilTold(tab, round * 4 + 4);
    }
    expect(await data(tab)).toEqual(numbers(1, 8));
    expect((await tab.view()).status).toMatchObject({ transport: 'stream', obstacle: undefined });
  });

  it('that is killed and comes back goes on where it was, and sends what was written meanwhile once', async () => {
    const tab = await open(CALM);
    await untilLive(tab);
    await stage.served.publishNumbers(topic, 1, 2);
    await untilTold(tab, 2);
    for (const round of [1, 2, 3]) {
      await nginx.kill();
      await stage.served.publishNumbers(topic, round * 10, round * 10 + 1);
      await tab.call('publish', topic, [round * 10 + 2]);
      await nginx.restart(CALM);
      await untilTold(tab, round * 10 + 2);
      await until('nothing waits', async () => (await tab.view()).waiting.length === 0);
    }
    expect(await data(tab)).toEqual([1, 2, ...[10, 20, 30].flatMap((first) => numbers(first, first + 2))]);
  });
});
