/** The browser's own EventSource, in a real Chromium, with nothing of ours between it and the server. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { CHROMIUM, launchChromium } from './chromium.ts';
import { numbers, type Served, serveForTest } from './served.ts';

/** What a page has seen of its stream. */
interface Seen {
  readonly events: { readonly id: string; readonly type: string; readonly event: any }[];
  readonly controls: { readonly name: string; readonly id: string; readonly data: any }[];
  readonly opened: number;
}

const CONTROLS = ['$open', '$ready', '$gap', '$heartbeat', '$close'];

describe.skipIf(CHROMIUM === undefined)('a native EventSource', () => {
  let browser: Browser;
  let served: Served;
  let line: TcpProxy;
  let count = 0;

  beforeAll(async () => {
    served = await serveForTest('serve', { AUTH_ANON: '{"subscribe":["open:**"]}' });
    line = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(served.url).port) }, { reset: true });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await served?.close();
  });

  const topicOf = (name: string): string => `open:${name}${count++}`;
  const path = (topic: string, query = ''): string => `/v1/topics/${encodeURIComponent(topic)}/events${query}`;

  /** Opens a stream in a page of its own, of the same origin. */
  async function open(url: string, types: readonly string[] = []): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${line.port}/healthz`);
    await page.evaluate(
      ([address, controls, named]) => {
        const seen: any = { events: [], controls: [], opened: 0 };
        const source = new EventSource(address);
        const keep = (block: MessageEvent): void => {
          seen.events.push({ id: block.lastEventId, type: block.type, event: JSON.parse(block.data) });
        };
        source.onopen = () => {
          seen.opened += 1;
        };
        source.onmessage = keep;
        for (const name of named) source.addEventListener(name, keep);
        for (const name of controls)
          source.addEventListener(name, (block: any) => {
            seen.controls.push({ name, id: block.lastEventId, data: JSON.parse(block.data) });
          });
        Object.assign(globalThis, { seen, source });
      },
      [url, CONTROLS, types] as const,
    );
    return page;
  }

  const seenBy = (page: Page): Promise<Seen> => page.evaluate(() => (globalThis as any).seen);
  const untilEvents = (page: Page, least: number) =>
    page.waitForFunction((wanted) => (globalThis as any).seen.events.length >= wanted, least, { timeout: 20_000 });
  const untilControl = (page: Page, name: string, least = 1) =>
    page.waitForFunction(
      ([wanted, times]) =>
        (globalThis as any).seen.controls.filter((each: any) => each.name === wanted).length >= times,
      [name, least] as const,
      { timeout: 20_000 },
    );

  it('receives history and then live events in onmessage, each with its id', async () => {
    const topic = topicOf('plain');
    await served.publishNumbers(topic, 1, 5);
    const page = await open(path(topic, '?after=earliest'));
    await untilControl(page, '$ready');
    await served.publishNumbers(topic, 6, 10);
    await untilEvents(page, 10);
    const { events } = await seenBy(page);
    expect(events.map(({ event }) => event.data)).toEqual(numbers(1, 10));
    for (const { id, type, event } of events) {
      expect(id).toBe(event.id);
      expect(type).toBe('message');
    }
    await page.close();
  });

  it('hears control events by name, and none of them in onmessage', async () => {
    const topic = topicOf('controls');
    const { cursor } = await served.publish(topic, { data: 1 });
    // Ahead of the log, so that there is a gap to tell of.
    const page = await open(path(topic, `?after=${cursor.replace(/-1$/, '-900')}`));
    await untilControl(page, '$ready');
    await served.publish(topic, { data: 2 });
    await untilEvents(page, 1);
    const { events, controls } = await seenBy(page);
    expect(controls.map(({ name }) => name)).toEqual(['$open', '$gap', '$ready']);
    expect(controls[1]?.data).toMatchObject({ topic, reason: 'ahead' });
    expect(controls[0]?.id).toBe('');
    expect(controls[2]?.id).toBe(controls[2]?.data.cursor);
    expect(events.map(({ event }) => event.data)).toEqual([2]);
    await page.close();
  });

  it('resumes by itself after cuts of the line, without loss or repeat', async () => {
    const topic = topicOf('cut');
    await served.publishNumbers(topic, 1, 3);
    const page = await open(path(topic, '?after=earliest'));
    let last = 3;
    for (let round = 1; round <= 3; round += 1) {
      await untilControl(page, '$ready', round);
      await served.publishNumbers(topic, last + 1, last + 5);
      line.hangUp();
      // These are published while nobody listens.
      await served.publishNumbers(topic, last + 6, last + 10);
      last += 10;
      await line.mend();
      await untilEvents(page, last);
    }
    await untilControl(page, '$ready', 4);
    const { events, opened, controls } = await seenBy(page);
    expect(opened).toBeGreaterThanOrEqual(4);
    expect(events.map(({ event }) => event.data)).toEqual(numbers(1, last));
    expect(controls.some(({ name }) => name === '$gap')).toBe(false);
    await page.close();
  }, 60_000);

  it('comes back by itself after the server closed its stream, when the server said', async () => {
    const topic = topicOf('closed');
    const page = await open(path(topic));
    await untilControl(page, '$ready');
    await served.publishNumbers(topic, 1, 2);
    await untilEvents(page, 2);
    const { controls } = await seenBy(page);
    const admin = await served.token({ sub: 'admin', sluice: { admin: true } });
    const answer = await fetch(`${served.url}/v1/streams/${controls[0]?.data.stream}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${admin}` },
    });
    expect(answer.ok).toBe(true);
    await untilControl(page, '$close');
    await served.publishNumbers(topic, 3, 4);
    await untilControl(page, '$ready', 2);
    await untilEvents(page, 4);
    const seen = await seenBy(page);
    expect(seen.events.map(({ event }) => event.data)).toEqual(numbers(1, 4));
    const close = seen.controls.find(({ name }) => name === '$close');
    expect(close?.data.retry).toBeGreaterThan(0);
    await page.close();
  }, 60_000);

  it('resumes all of several topics from the one Last-Event-ID', async () => {
    const topics = [topicOf('a'), topicOf('b'), topicOf('c')];
    const [a = '', b = '', c = ''] = topics;
    await served.publishNumbers(a, 1, 4);
    await served.publishNumbers(b, 1, 2);
    const query = new URLSearchParams([...topics.map((topic) => ['topic', topic]), ['after', 'earliest']]);
    const page = await open(`/v1/events?${query}`);
    await untilControl(page, '$ready');
    await untilEvents(page, 6);
    line.hangUp();
    await served.publishNumbers(b, 3, 5);
    await served.publishNumbers(c, 1, 2);
    await line.mend();
    await untilEvents(page, 11);
    await untilControl(page, '$ready', 2);
    const { events, controls } = await seenBy(page);
    const of = (topic: string): number[] =>
      events.filter(({ event }) => event.topic === topic).map(({ event }) => event.data);
    expect(of(a)).toEqual(numbers(1, 4));
    expect(of(b)).toEqual(numbers(1, 5));
    expect(of(c)).toEqual(numbers(1, 2));
    expect(controls.some(({ name }) => name === '$gap')).toBe(false);
    // The event's own id stays inside; the block's is the position in all topics.
    for (const { id, event } of events) expect(id).not.toBe(event.id);
    await page.close();
  }, 60_000);

  it('hears a type by addEventListener with named=1', async () => {
    const topic = topicOf('named');
    const page = await open(path(topic, '?named=1'), ['said', 'message']);
    await untilControl(page, '$ready');
    await served.publish(topic, [
      { type: 'said', data: 1 },
      { type: 'error', data: 2 },
      { type: 'open', data: 3 },
      { data: 4 },
      { type: 'said', data: 5 },
    ]);
    await untilEvents(page, 5);
    const { events, opened } = await seenBy(page);
    // `message` is heard twice, by onmessage and by the listener; each time it is the same event.
    const heard = events.filter((each, index) => events.findIndex(({ id }) => id === each.id) === index);
    expect(heard.map(({ type, event }) => [type, event.data])).toEqual([
      ['said', 1],
      ['message', 2],
      ['message', 3],
      ['message', 4],
      ['said', 5],
    ]);
    // An event of the type `open` must not look like a connection that opened.
    expect(opened).toBe(1);
    await page.close();
  });

  it('reads a closed topic with a ticket in its URL, across a cut', async () => {
    const topic = `closed:${count++}`;
    const token = await served.token({ sub: 'ada', sluice: { subscribe: ['closed:*'] } });
    const answer = await fetch(`${served.url}/v1/tickets`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ topics: [topic], ttl: 600 }),
    });
    const { ticket } = (await answer.json()) as { ticket: string };
    const page = await open(path(topic, `?ticket=${ticket}`));
    await untilControl(page, '$ready');
    await served.publishNumbers(topic, 1, 2);
    await untilEvents(page, 2);
    line.hangUp();
    await served.publishNumbers(topic, 3, 4);
    await line.mend();
    await untilEvents(page, 4);
    expect((await seenBy(page)).events.map(({ event }) => event.data)).toEqual(numbers(1, 4));
    await page.close();
  }, 60_000);

  it.for([
    ['without a ticket', async () => ''],
    ['with a token in the URL', async (token: string) => `?ticket=${token}`],
    ['with a forged ticket', async () => `?ticket=slt1_${'A'.repeat(80)}`],
  ] as const)('is refused a closed topic %s, and gives up', async ([, queryOf]) => {
    const token = await served.token({ sub: 'ada', sluice: { subscribe: ['closed:*'] } });
    const page = await open(path('closed:refused', await queryOf(token)));
    await page.waitForFunction(() => (globalThis as any).source.readyState === 2, undefined, { timeout: 10_000 });
    const { opened, controls } = await seenBy(page);
    expect({ opened, controls }).toEqual({ opened: 0, controls: [] });
    await page.close();
  });
});
