/** Behind a real nginx that buffers and has little patience. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSseParser, type SseBlock } from '../../src/protocol/sse.ts';
import { numbers, type Served, serveForTest } from '../browser/served.ts';
import { NGINX, type Nginx, startNginx } from './nginx.ts';

/** What nginx 1.22 does unless told otherwise (HTTP/1.0 to the server among it), but for the time-out, which is 60 s there. */
const DEFAULTS = ['proxy_buffering on', 'proxy_read_timeout 5s'];
/** What the deployment guide says, but for where the server is and how long nginx waits for it. */
const ADVISED = guideDirectives().filter((line) => !/^proxy_(pass|read_timeout) /.test(line));
/** Takes our request not to buffer for nothing. */
const DEAF = ['proxy_ignore_headers X-Accel-Buffering'];

/** The directives of the first `location` in the guide. */
function guideDirectives(): readonly string[] {
  const guide = readFileSync(new URL('../../docs/guides/deployment.md', import.meta.url), 'utf8');
  const [, body = ''] = /```nginx\nlocation \/ \{\n([^}]*)\}/.exec(guide) ?? [];
  const lines = body.split('\n').map((line) => line.trim().replace(/;$/, ''));
  return lines.filter((line) => line !== '');
}

const eventsPath = (topic: string): string => `/v1/topics/${encodeURIComponent(topic)}/events`;

/** A stream until it ends, however it ends. */
async function openStream(url: string, lastEventId?: string) {
  const response = await fetch(url, {
    headers: { Accept: 'text/event-stream', ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }) },
  });
  expect(response.status).toBe(200);
  const blocks: SseBlock[] = [];
  let isEnded = false;
  let wake = (): void => {};
  const ended = (async () => {
    const parser = createSseParser((block) => {
      blocks.push(block);
      wake();
    });
    const text = new TextDecoder();
    try {
      for await (const bytes of response.body ?? []) parser.push(text.decode(bytes, { stream: true }));
    } catch (error) {
      // A proxy cuts in the middle of a body, which fetch takes for an error.
      expect(String(error)).toMatch(/terminated/);
    }
    isEnded = true;
    wake();
  })();
  return {
    blocks,
    ended,
    isEnded: () => isEnded,
    events: (): any[] => blocks.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data)),
    lastId: (): string | undefined => blocks.findLast(({ id }) => id !== undefined)?.id,
    /** Waits until the blocks are as wanted, and fails if the stream ends before. */
    async until(wanted: () => boolean): Promise<void> {
      while (!wanted()) {
        if (isEnded) throw new Error(`the stream ended after ${JSON.stringify(blocks)}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

describe.skipIf(NGINX === undefined)('behind nginx', () => {
  let served: Served;
  let plain: Nginx;
  let advised: Nginx;
  let deaf: Nginx;
  let count = 0;

  beforeAll(async () => {
    served = await serveForTest('serve', { AUTH_ANON: '{"subscribe":["**"]}' });
    plain = await startNginx(served.url, DEFAULTS);
    advised = await startNginx(served.url, [...DEFAULTS, ...ADVISED]);
    deaf = await startNginx(served.url, [...DEFAULTS, ...DEAF]);
  });

  afterAll(async () => {
    await plain?.close();
    await advised?.close();
    await deaf?.close();
    await served?.close();
  });

  const proxyOf = (name: 'plain' | 'advised' | 'deaf'): Nginx => ({ plain, advised, deaf })[name];
  const topicOf = (name: string): string => `nginx:${name}${count++}`;

  it('is set up as the deployment guide says', () => {
    expect(ADVISED).toContain('proxy_http_version 1.1');
    expect(ADVISED.length).toBeGreaterThanOrEqual(4);
  });

  it.concurrent.for(['plain', 'advised'] as const)(
    'streams at once although it buffers, because the answer asks it not to (%s)',
    async (which) => {
      const topic = topicOf('stream');
      const stream = await openStream(proxyOf(which).url + eventsPath(topic));
      await stream.until(() => stream.blocks.some(({ event }) => event === '$ready'));
      for (const data of numbers(1, 3)) {
        await served.publish(topic, { data });
        await stream.until(() => stream.events().length === data);
      }
      expect(stream.events().map(({ data }) => data)).toEqual([1, 2, 3]);
      expect(stream.isEnded()).toBe(false);
      await stream.ended;
    },
  );

  it.concurrent.for(['plain', 'advised'] as const)(
    'resumes without loss or repeat each time that the proxy ends a quiet stream (%s)',
    { timeout: 60_000 },
    async (which) => {
      const topic = topicOf('cut');
      const url = proxyOf(which).url + eventsPath(topic);
      const data: number[] = [];
      let lastId: string | undefined;
      for (const round of [0, 1, 2]) {
        const stream = await openStream(url, lastId);
        await stream.until(() => stream.blocks.some(({ event }) => event === '$ready'));
        await served.publishNumbers(topic, round * 10 + 1, round * 10 + 5);
        await stream.until(() => stream.events().some((event) => event.data === round * 10 + 5));
        // Nothing more comes, so that nginx loses its patience.
        await stream.ended;
        await served.publishNumbers(topic, round * 10 + 6, round * 10 + 10);
        data.push(...stream.events().map((event) => event.data));
        expect(stream.blocks.some(({ event }) => event === '$gap')).toBe(false);
        lastId = stream.lastId();
      }
      const rest = await openStream(url, lastId);
      await rest.until(() => rest.blocks.some(({ event }) => event === '$ready'));
      data.push(...rest.events().map((event) => event.data));
      expect(data).toEqual(numbers(1, 30));
      await rest.ended;
    },
  );

  it.concurrent('holds a stream back when it does not listen, which is what the long poll is for', async () => {
    const topic = topicOf('deaf');
    await served.publishNumbers(topic, 1, 3);
    const opened = openStream(`${deaf.url}${eventsPath(topic)}?after=earliest`);
    const poll = fetch(`${deaf.url}${eventsPath(topic)}?format=json&wait=4&after=earliest`);
    const first = await Promise.race([
      poll.then(() => 'poll'),
      opened.then(async (stream) => {
        await stream.until(() => stream.events().length === 3);
        return 'stream';
      }),
    ]);
    expect(first).toBe('poll');
    // Whatever comes of the stream comes when nginx has cut it.
    await (await opened).ended;
  });

  it.concurrent.for(['plain', 'advised', 'deaf'] as const)(
    'carries the long poll, and nothing is lost from poll to poll (%s)',
    { timeout: 60_000 },
    async (which) => {
      const proxy = proxyOf(which);
      const topic = topicOf('poll');
      const data: number[] = [];
      let after = 'earliest';
      let empty = 0;
      const poll = async (): Promise<void> => {
        const response = await fetch(`${proxy.url}${eventsPath(topic)}?format=json&wait=3&limit=7&after=${after}`);
        expect(response.status).toBe(200);
        const page = (await response.json()) as { events: any[]; cursor: string; gap?: unknown };
        expect(page.gap).toBeUndefined();
        data.push(...page.events.map((event) => event.data));
        if (page.events.length === 0) empty += 1;
        after = page.cursor;
      };
      // An empty one first: it must end at its own deadline, before the patience of the proxy.
      await poll();
      expect(empty).toBe(1);
      const writer = (async () => {
        for (const number of numbers(1, 40)) await served.publish(topic, { data: number });
      })();
      while (data.length < 40) await poll();
      await writer;
      expect(data).toEqual(numbers(1, 40));
    },
  );
});
