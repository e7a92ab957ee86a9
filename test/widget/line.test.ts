/** What the widget does when networks, servers, proxies and tickets fail it, in a real Chromium. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, launchChromium } from '../browser/chromium.ts';
import { numbers, type Served, serveForTest } from '../browser/served.ts';
import { NGINX, type Nginx, startNginx } from '../proxy/nginx.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { type Site, startSite } from './site.ts';

const ANYONE = '{"subscribe":["open:**"]}';
const patient = { timeout: 20_000 };

describe.skipIf(CHROMIUM === undefined)('a line of the widget', () => {
  let browser: Browser;
  let served: Served;
  let line: TcpProxy;
  let site: Site;
  let count = 0;

  beforeAll(async () => {
    site = await startSite();
    served = await serveForTest('serve', { AUTH_ANON: ANYONE, CORS_ORIGINS: site.origin });
    line = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(served.url).port) }, { reset: true });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await served?.close();
    await site?.close();
  });

  const topicOf = (name: string): string => `open:${name}${count++}`;

  /** Opens a page that keeps the data of every `sluice-event`, the details of all others, and each address that it asked. */
  async function open(server: string, body: string, setUp: (page: Page) => Promise<unknown> = async () => {}) {
    const asked: string[] = [];
    const opened = await site.open(browser, server, body, {
      async setUp(page) {
        page.on('request', (request) => asked.push(request.url()));
        await page.addInitScript(() => {
          const told: any = { events: [], gaps: [], states: [], expiring: 0 };
          Object.assign(globalThis, { told });
          addEventListener('sluice-event', ({ detail }: any) => told.events.push(detail.data));
          addEventListener('sluice-gap', ({ detail }: any) => told.gaps.push(detail?.reason));
          addEventListener('sluice-state', ({ detail, target }: any) =>
            told.states.push(`${target.topic ?? 'status'} ${detail.state}${detail.code ? ` ${detail.code}` : ''}`),
          );
          addEventListener('sluice-expiring', () => {
            told.expiring += 1;
          });
        });
        await setUp(page);
      },
    });
    const told = () => opened.page.evaluate(() => (globalThis as any).told);
    const events = async (): Promise<number[]> => (await told()).events;
    const set = (selector: string, values: Record<string, unknown>) =>
      opened.page.evaluate(
        ([which, given]) => {
          for (const element of document.querySelectorAll(which)) Object.assign(element, given);
        },
        [selector, values] as const,
      );
    return { ...opened, asked, told, events, set };
  }

  async function ticket(topics: readonly string[], ttl: number): Promise<string> {
    const token = await served.token({ sub: 'ada', sluice: { subscribe: ['**'] } });
    const answer = await fetch(`${served.url}/v1/tickets`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ topics, ttl }),
    });
    return ((await answer.json()) as { ticket: string }).ticket;
  }

  it('goes on where it was after cuts, and nothing is missed or repeated', async () => {
    const topic = topicOf('cut');
    await served.publishNumbers(topic, 1, 3);
    const { page, events, told, attribute } = await open(
      `http://127.0.0.1:${line.port}`,
      `<sluice-feed topic="${topic}"></sluice-feed>`,
    );
    await expect.poll(events, patient).toEqual(numbers(1, 3));
    for (const round of [1, 2, 3]) {
      line.hangUp();
      await expect.poll(() => attribute('sluice-feed', 'state'), patient).toBe('reconnecting');
      await served.publishNumbers(topic, round * 10, round * 10 + 2);
      await line.mend();
      await expect.poll(async () => (await events()).at(-1), patient).toBe(round * 10 + 2);
    }
    expect(await events()).toEqual([1, 2, 3, 10, 11, 12, 20, 21, 22, 30, 31, 32]);
    expect((await told()).gaps).toEqual([]);
    await page.close();
  }, 60_000);

  it('gives a topic that comes later its past, and disturbs no other', async () => {
    const [first, second] = [topicOf('early'), topicOf('late')];
    await served.publishNumbers(first, 1, 2);
    await served.publishNumbers(second, 101, 103);
    const { page, events, told } = await open(
      served.url,
      `<sluice-feed topic="${first}"></sluice-feed><sluice-feed id="b"></sluice-feed>`,
    );
    await expect.poll(events, patient).toEqual([1, 2]);
    // Events come while the stream is opened anew.
    const busy = (async () => {
      for (let n = 3; n <= 40; n += 1) await served.publishNumbers(first, n, n);
    })();
    await page.evaluate((topic) => document.querySelector('#b')?.setAttribute('topic', topic), second);
    await busy;
    await served.publishNumbers(second, 104, 104);
    await expect.poll(async () => (await events()).length, patient).toBe(44);
    const all = await events();
    expect(all.filter((n) => n < 100)).toEqual(numbers(1, 40));
    expect(all.filter((n) => n > 100)).toEqual(numbers(101, 104));
    expect((await told()).gaps).toEqual([]);
    await page.close();
  });

  it('notices that a line is dead, though nobody says so', async () => {
    const topic = topicOf('dead');
    await served.publishNumbers(topic, 1, 1);
    const { page, events } = await open(
      `http://127.0.0.1:${line.port}`,
      `<sluice-feed topic="${topic}"></sluice-feed>`,
      (opened) => opened.clock.install(),
    );
    await expect.poll(events, patient).toEqual([1]);
    line.abandon();
    await served.publishNumbers(topic, 2, 2);
    await page.clock.fastForward(44_000);
    expect(await events()).toEqual([1]);
    await page.clock.fastForward(1500);
    await expect.poll(events, patient).toEqual([1, 2]);
    await line.mend();
    await page.close();
  }, 60_000);

  it('opens anew at once when the network is there again', async () => {
    const topic = topicOf('online');
    const { page, events, asked, attribute } = await open(served.url, `<sluice-feed topic="${topic}"></sluice-feed>`);
    await expect.poll(() => attribute('sluice-feed', 'state'), patient).toBe('connected');
    const before = asked.length;
    await page.context().setOffline(true);
    await page.context().setOffline(false);
    await expect.poll(() => asked.length, patient).toBeGreaterThan(before);
    await served.publishNumbers(topic, 1, 1);
    await expect.poll(events, patient).toEqual([1]);
    await page.close();
  });

  describe('when the server is restarted', () => {
    it('comes back by itself, and has what was published meanwhile', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'sluice-widget-'));
      const env = { AUTH_ANON: ANYONE, CORS_ORIGINS: site.origin, DATA_DIR: dir, DATABASE_URL: '' };
      let server = await serveForTest('serve', env);
      const { url } = server;
      const topic = topicOf('restart');
      await server.publishNumbers(topic, 1, 2);
      const { page, events, told, attribute } = await open(
        url,
        `<sluice-feed topic="${topic}"></sluice-feed><sluice-status></sluice-status>`,
      );
      await expect.poll(events, patient).toEqual([1, 2]);
      await server.close();
      await expect.poll(() => attribute('sluice-status', 'state'), patient).toBe('reconnecting');
      server = await serveForTest('serve', { ...env, PORT: new URL(url).port });
      await server.publishNumbers(topic, 3, 5);
      await expect.poll(events, { timeout: 40_000 }).toEqual(numbers(1, 5));
      expect((await told()).gaps).toEqual([]);
      expect(await attribute('sluice-status', 'state')).toBe('connected');
      await page.close();
      await server.close();
      await rm(dir, { recursive: true, force: true });
    }, 90_000);

    it('and has lost its log: says so in the feed, and shows the value that there is now', async () => {
      const env = { AUTH_ANON: ANYONE, CORS_ORIGINS: site.origin };
      let server = await serveForTest('serve', env);
      const { url } = server;
      const topic = topicOf('lost');
      await server.publishNumbers(topic, 1, 3);
      const { page, parts, text, told } = await open(
        url,
        `<sluice-feed topic="${topic}"></sluice-feed><sluice-value topic="${topic}"></sluice-value>
         <sluice-feed id="own" topic="${topic}"><span slot="gap">Lücke</span></sluice-feed>`,
      );
      await expect.poll(() => parts('sluice-feed:not([id])', 'data'), patient).toEqual(['3', '2', '1']);
      await server.close();
      server = await serveForTest('serve', { ...env, PORT: new URL(url).port });
      await server.publishNumbers(topic, 7, 8);
      await expect
        .poll(() => parts('sluice-feed:not([id])', 'data'), { timeout: 40_000 })
        .toEqual(['8', '7', '3', '2', '1']);
      expect(await parts('sluice-feed', 'gap')).toEqual(['Some events are missing', 'Lücke']);
      await expect.poll(() => text('sluice-value'), patient).toBe('8');
      expect(new Set((await told()).gaps)).toEqual(new Set(['unknown-epoch']));
      await page.close();
      await server.close();
    }, 90_000);
  });

  describe('with a ticket', () => {
    it('tells the page before it ends, and goes on with the next', async () => {
      const topic = `closed:${count++}`;
      await served.publishNumbers(topic, 1, 3);
      const { page, events, told, set, asked } = await open(
        served.url,
        // A minute before its end is two seconds from now.
        `<sluice-feed topic="${topic}" ticket="${await ticket([topic], 62)}"></sluice-feed>`,
      );
      await expect.poll(events, patient).toEqual(numbers(1, 3));
      await expect.poll(async () => (await told()).expiring, patient).toBe(1);
      await served.publishNumbers(topic, 4, 5);
      const fresh = await ticket([topic], 600);
      const busy = (async () => {
        for (let n = 6; n <= 30; n += 1) await served.publishNumbers(topic, n, n);
      })();
      await set('sluice-feed', { ticket: fresh });
      await busy;
      await expect.poll(async () => (await events()).length, patient).toBeGreaterThanOrEqual(30);
      expect(await events()).toEqual(numbers(1, 30));
      expect(asked.filter((url) => url.includes(fresh) && !url.includes('format'))).toHaveLength(1);
      await page.close();
    }, 60_000);

    it('that has ended says so, and catches up with a fresh one', async () => {
      const topic = `closed:${count++}`;
      await served.publishNumbers(topic, 1, 3);
      const { page, events, told, set, text } = await open(
        served.url,
        `<sluice-feed topic="${topic}" ticket="${await ticket([topic], 2)}"></sluice-feed>
         <sluice-status></sluice-status>`,
      );
      await expect.poll(events, patient).toEqual(numbers(1, 3));
      await expect.poll(async () => (await told()).states, patient).toContain(`${topic} refused token-expired`);
      await expect.poll(() => text('sluice-status'), patient).toBe('Not allowed');
      await served.publishNumbers(topic, 4, 50);
      await set('sluice-feed', { ticket: await ticket([topic], 600) });
      await expect.poll(events, patient).toEqual(numbers(1, 50));
      await expect.poll(() => text('sluice-status'), patient).toBe('Live');
      await page.close();
    }, 60_000);

    it('that does not cover a topic leaves out that one alone', async () => {
      const [allowed, other] = [`closed:${count++}`, `closed:${count++}`];
      await served.publishNumbers(allowed, 1, 2);
      const held = await ticket([allowed], 600);
      const { page, events, told, text } = await open(
        served.url,
        `<sluice-feed topic="${allowed}" ticket="${held}"></sluice-feed>
         <sluice-feed id="other" topic="${other}" ticket="${held}"></sluice-feed>`,
      );
      await expect.poll(events, patient).toEqual([1, 2]);
      await expect.poll(() => text('#other'), patient).toBe('Not available');
      expect((await told()).states).toContain(`${other} refused forbidden`);
      await served.publishNumbers(allowed, 3, 3);
      await expect.poll(events, patient).toEqual([1, 2, 3]);
      await page.close();
    });
  });

  it('does not try again and again what is refused', async () => {
    const { page, told, asked } = await open(served.url, `<sluice-feed topic="closed:x"></sluice-feed>`, (opened) =>
      opened.clock.install(),
    );
    await expect.poll(async () => (await told()).states, patient).toContain('closed:x refused token-required');
    const before = asked.length;
    await page.clock.runFor(120_000);
    expect(asked.length).toBe(before);
    await page.close();
  });

  describe.skipIf(NGINX === undefined)('behind a proxy that holds streams back', () => {
    let deaf: Nginx;

    beforeAll(async () => {
      deaf = await startNginx(served.url, ['proxy_buffering on', 'proxy_ignore_headers X-Accel-Buffering']);
    });

    afterAll(() => deaf?.close());

    it('reads by polls, says so, and misses nothing', async () => {
      const topic = topicOf('deaf');
      await served.publishNumbers(topic, 1, 3);
      const { page, events, text, attribute, asked } = await open(
        deaf.url,
        `<sluice-feed topic="${topic}"></sluice-feed><sluice-feed id="late"></sluice-feed><sluice-status></sluice-status>`,
      );
      await expect.poll(() => text('sluice-status'), patient).toBe('Live, by polling');
      expect(await attribute('sluice-feed:not([id])', 'state')).toBe('polling');
      await expect.poll(events, patient).toEqual(numbers(1, 3));
      for (let n = 4; n <= 8; n += 1) await served.publishNumbers(topic, n, n);
      await expect.poll(events, patient).toEqual(numbers(1, 8));
      // One that comes later has its past too.
      const late = topicOf('deaf');
      await served.publishNumbers(late, 101, 102);
      await page.evaluate((name) => document.querySelector('#late')?.setAttribute('topic', name), late);
      await expect.poll(events, patient).toEqual([...numbers(1, 8), 101, 102]);
      // A network that comes back may be another one.
      const streams = () => asked.filter((url) => !url.includes('format=')).length;
      const before = streams();
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await expect.poll(streams, patient).toBe(before + 1);
      await served.publishNumbers(topic, 9, 9);
      await expect.poll(events, patient).toEqual([...numbers(1, 8), 101, 102, 9]);
      await page.close();
    }, 60_000);
  });
});
