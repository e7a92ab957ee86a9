/** The app with the memory store on workerd, the runtime of Cloudflare Workers, without anything of Node. */
import { SignJWT } from 'jose';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSseParser, type SseBlock } from '../../src/protocol/sse.ts';
import { until } from '../support/until.ts';
import { bundleWorker } from '../support/worker-bundle.ts';

const SECRET = 'a shared secret of more than thirty-two bytes';

function token(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(SECRET));
}

describe('on workerd', () => {
  let worker: Miniflare;
  let base: string;
  let imports: readonly string[];
  let headers: Record<string, string>;

  beforeAll(async () => {
    const made = await bundleWorker('test/runtime/worker.ts');
    imports = made.imports;
    worker = new Miniflare({
      modules: [{ type: 'ESModule', path: 'worker.mjs', contents: made.code }],
      compatibilityDate: '2026-01-01',
      host: '127.0.0.1',
      port: 0,
      bindings: { AUTH_SECRET: SECRET },
      durableObjects: { SLUICE: 'Sluice' },
    });
    base = (await worker.ready).href.replace(/\/$/, '');
    const claims = { sub: 'tester', sluice: { subscribe: ['**'], publish: ['**'], admin: true } };
    headers = { Authorization: `Bearer ${await token(claims)}`, 'Content-Type': 'application/json' };
  });

  afterAll(async () => {
    await worker?.dispose();
  });

  const publish = async (topic: string, ...data: readonly unknown[]): Promise<readonly string[]> => {
    const body = JSON.stringify(data.map((each) => ({ data: each })));
    const response = await fetch(`${base}/v1/topics/${topic}/events`, { method: 'POST', headers, body });
    expect(response.status).toBe(201);
    return ((await response.json()) as { events: { id: string }[] }).events.map(({ id }) => id);
  };

  /** A stream as it arrives. */
  const stream = async (path: string, more: Record<string, string> = headers) => {
    const abort = new AbortController();
    const response = await fetch(`${base}${path}`, { headers: more, signal: abort.signal });
    const blocks: SseBlock[] = [];
    const parser = createSseParser((block) => blocks.push(block));
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const part of response.body ?? []) parser.push(decoder.decode(part, { stream: true }));
    })().catch((error: unknown) => {
      // The abort below ends the reading, and so may nothing else.
      if (!abort.signal.aborted) throw error;
    });
    return {
      response,
      blocks,
      data: () => blocks.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data).data),
      control: (name: string) => blocks.filter(({ event }) => event === `$${name}`),
      async close() {
        abort.abort();
        await reading;
      },
    };
  };

  it('imports nothing that is not in its bundle', () => {
    expect(imports).toEqual([]);
  });

  it('answers that it is healthy and ready', async () => {
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    expect((await fetch(`${base}/openapi.json`)).status).toBe(200);
  });

  it('refuses a stranger', async () => {
    expect((await fetch(`${base}/v1/topics/t/events`)).status).toBe(401);
  });

  it('streams what is published while it is open', async () => {
    const open = await stream('/v1/topics/live/events');
    expect(open.response.headers.get('content-type')).toBe('text/event-stream');
    await until('$ready', () => open.control('ready').length === 1);
    const ids = [...(await publish('live', 'one', { two: 'é😀' })), ...(await publish('live', 3))];
    await until('three events', () => open.data().length === 3);
    expect(open.data()).toEqual(['one', { two: 'é😀' }, 3]);
    expect(open.blocks.flatMap(({ event, id }) => (event === undefined ? [id] : []))).toEqual(ids);
    await open.close();
  });

  it('resumes by Last-Event-ID without loss or repetition', async () => {
    const [first = ''] = await publish('resumed', 1);
    const before = await stream('/v1/topics/resumed/events?after=earliest');
    await until('the first event', () => before.data().length === 1);
    await before.close();
    await publish('resumed', 2, 3);
    const after = await stream('/v1/topics/resumed/events', { ...headers, 'Last-Event-ID': first });
    await until('$ready', () => after.control('ready').length === 1);
    await publish('resumed', 4);
    await until('the rest', () => after.data().length === 3);
    expect(after.data()).toEqual([2, 3, 4]);
    await after.close();
  });

  it('gives pages and answers a long poll when something comes', async () => {
    const [id = ''] = await publish('polled', 1);
    const page = await fetch(`${base}/v1/topics/polled/events?format=json`, { headers });
    expect(await page.json()).toMatchObject({ events: [{ id, data: 1 }], cursor: id, more: false });
    const polling = fetch(`${base}/v1/topics/polled/events?format=json&wait=20&after=${id}`, { headers });
    const open = await stream('/v1/topics/polled/events');
    await until('$ready', () => open.control('ready').length === 1);
    await publish('polled', 2);
    const answer = (await (await polling).json()) as { events: { data: unknown }[] };
    expect(answer.events.map(({ data }) => data)).toEqual([2]);
    await open.close();
  });

  it('gives a ticket, and streams to whoever brings it', async () => {
    const body = JSON.stringify({ topics: ['ticketed'] });
    const response = await fetch(`${base}/v1/tickets`, { method: 'POST', headers, body });
    expect(response.status).toBe(201);
    const { ticket } = (await response.json()) as { ticket: string };
    const open = await stream(`/v1/topics/ticketed/events?ticket=${ticket}`, {});
    await until('$ready', () => open.control('ready').length === 1);
    await publish('ticketed', 'for the bearer');
    await until('the event', () => open.data().length === 1);
    await open.close();
    const other = await fetch(`${base}/v1/topics/other/events?ticket=${ticket}`);
    expect(other.status).toBe(403);
  });

  it('ends a stream whose token is revoked', async () => {
    const claims = { sub: 'guest', jti: 'guest-1', iat: Math.floor(Date.now() / 1000), sluice: { subscribe: ['**'] } };
    const guest = { Authorization: `Bearer ${await token(claims)}` };
    const open = await stream('/v1/topics/any/events', guest);
    await until('$ready', () => open.control('ready').length === 1);
    const body = JSON.stringify({ jti: 'guest-1' });
    const response = await fetch(`${base}/v1/revocations`, { method: 'POST', headers, body });
    expect(response.status).toBe(204);
    await until('$close', () => open.control('close').length === 1);
    expect(open.control('close')[0]?.data).toContain('revoked');
    await open.close();
  });
});
