/** Servers, proxies and captive portals that do what none should: the client says so, recovers, and loses nothing. */
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Link } from '../../src/client/connect.ts';
import { type Fallback, longPoll } from '../../src/client/connection/fallback.ts';
import type { Trouble } from '../../src/client/connection/state.ts';
import { epochOf } from '../../src/protocol/cursor.ts';
import { TestApp, tokenOf } from '../http/app.ts';
import { listen, READER, type Told, untilLive } from './links.ts';

const URL_ = 'http://sluice.test';
const NDJSON = { 'Content-Type': 'application/x-ndjson' };
/** The log of the topic `t`, and another one. */
const E = epochOf('fake', 0, 't');
const OTHER = epochOf('other', 0, 't');

/** What answers the next opening of a stream, in the place of the server. */
let answers: ((request: Request) => Response | Promise<Response>)[] = [];
let app: TestApp;
let link: Link;
let fallback: Fallback;
let errors: unknown[];
const rejections: unknown[] = [];
const onRejection = (error: unknown) => rejections.push(error);

const server = setupServer(
  http.all(`${URL_}/*`, async ({ request }) => {
    const { pathname, search } = new URL(request.url);
    const body = request.method === 'GET' ? null : await request.arrayBuffer();
    const opens = request.method === 'POST' && pathname === '/v1/streams';
    const answer = opens ? answers.shift() : undefined;
    if (answer !== undefined) return answer(request);
    return app.request(pathname + search, { method: request.method, headers: request.headers, body });
  }),
);

beforeAll(() => {
  server.listen();
  process.on('unhandledRejection', onRejection);
});
afterAll(() => {
  server.close();
  process.off('unhandledRejection', onRejection);
});
beforeEach(() => {
  answers = [];
  errors = [];
  rejections.length = 0;
  app = new TestApp();
  fallback = longPoll();
  link = connect({
    url: URL_,
    token: () => tokenOf(READER),
    random: () => 0,
    open: fallback.open,
    onError: (error) => errors.push(error),
  });
});
afterEach(async () => {
  link.close();
  await app.realtime.close();
  expect(rejections).toEqual([]);
});

const line = (value: unknown) => `${JSON.stringify(value)}\n`;
const opening = line({ control: 'open', stream: 'x'.repeat(40), heartbeat: 25, topics: ['t'] });
const ready = (seq: number) => line({ control: 'ready', cursor: `${E}-${seq}` });
const event = (seq: number) =>
  line({ id: `${E}-${seq}`, topic: 't', time: '2026-01-01T00:00:00.000Z', type: 'message', data: seq });

/** A stream of these pieces, which then ends, breaks, or stays open. */
function stream(
  pieces: readonly string[],
  then: 'ends' | 'breaks' | 'stays' = 'ends',
  headers: Record<string, string> = NDJSON,
): Response {
  const text = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(text.encode(piece));
      if (then === 'ends') controller.close();
    },
    pull(controller) {
      if (then === 'breaks') controller.error(new TypeError('broken'));
    },
  });
  return new HttpResponse(body, { headers });
}

function textOf(trouble: Trouble): string {
  if (trouble.kind === 'strange') return `strange ${trouble.status} ${trouble.what}`;
  return `${trouble.kind} ${'why' in trouble ? trouble.why : ''}`;
}

/** All troubles that were told. */
function troubles(): string[] {
  const seen: string[] = [];
  link.observe(() => {
    const { trouble } = link.status;
    const text = trouble && textOf(trouble);
    if (text !== undefined && seen.at(-1) !== text) seen.push(text);
  });
  return seen;
}

/** The server behaves: what it published before and after is complete. */
async function expectRecovery(told: Told, before: readonly unknown[] = []): Promise<void> {
  await untilLive(told);
  await app.publish('t', 'after');
  await expect.poll(told.data).toEqual([...before, 'after']);
}

describe('a stream that is not what it should be', () => {
  const portal = '<!doctype html><title>Sign in to the network</title>';

  it.each<[string, () => Response, string]>([
    ['ends at once', () => stream([]), 'lost ended'],
    ['ends after its beginning', () => stream([opening]), 'lost ended'],
    ['breaks in the middle of a line', () => stream([opening, '{"control":"rea'], 'breaks'), 'lost ended'],
    ['ends in the middle of a line', () => stream([opening, event(1).slice(0, 30)]), 'lost ended'],
    ['is not JSON', () => stream([opening, 'hello\n'], 'stays'), 'lost malformed'],
    ['has events before its beginning', () => stream([event(1)], 'stays'), 'lost malformed'],
    ['has events without a place', () => stream([opening, line({ id: 'x', topic: 't' })], 'stays'), 'lost malformed'],
    ['has a line without an end', () => stream([opening, 'x'.repeat(3e6), 'x'.repeat(3e6)], 'stays'), 'lost malformed'],
    [
      'says that it is something else',
      () => stream([opening], 'stays', { 'Content-Type': 'text/plain' }),
      'strange 200 media-type',
    ],
    [
      'says that it is a page',
      () => stream([opening], 'ends', { 'Content-Type': 'application/json' }),
      'strange 200 media-type',
    ],
    ['is the page of a captive portal', () => HttpResponse.html(portal), 'strange 200 media-type'],
    [
      'is a redirect',
      () => new HttpResponse(null, { status: 302, headers: { Location: '/login' } }),
      'strange 302 redirect',
    ],
    [
      'is an error page of a proxy',
      () => HttpResponse.html('<h1>Bad gateway</h1>', { status: 502 }),
      'strange 502 media-type',
    ],
    ['is JSON, but no problem', () => HttpResponse.json({ error: 'no' }, { status: 500 }), 'strange 500 status'],
    [
      'is broken JSON',
      () => new HttpResponse('{', { status: 500, headers: { 'Content-Type': 'application/json' } }),
      'strange 500 body',
    ],
    ['is no answer', () => HttpResponse.error(), 'unreachable network'],
  ])('that %s is told, and given up', async (_, answer, trouble) => {
    answers = [answer, answer];
    const seen = troubles();
    const told = listen(link, 't');
    await expectRecovery(told);
    expect(seen).toEqual([trouble]);
    expect(errors).toEqual([]);
  });

  it('that never says anything is given up for polls, and told', async () => {
    answers = [() => stream([], 'stays')];
    const told = listen(link, 't');
    await expect.poll(() => link.status.transport, { timeout: 8000 }).toBe('poll');
    await expectRecovery(told);
    expect([link.status.state, fallback.obstacle()]).toEqual(['connected', 'first-bytes-late']);
  });

  it('whose answer never comes is given up for polls too', async () => {
    answers = [() => new Promise<Response>(() => undefined)];
    const told = listen(link, 't');
    await expect.poll(() => fallback.obstacle(), { timeout: 8000 }).toBe('first-bytes-late');
    await expectRecovery(told);
  });

  it('that is short but healthy is not given up', async () => {
    const short = () => stream([opening, ready(0), event(1)], 'ends');
    answers = [short, short, short, short];
    const told = listen(link, 't', { after: `${E}-0` });
    await expect.poll(() => answers.length).toBe(0);
    await untilLive(told);
    expect([link.status.transport, fallback.obstacle()]).toEqual(['stream', undefined]);
  });

  it('that repeats is heard once', async () => {
    answers = [() => stream([opening, ready(0), event(1), event(2), event(1), event(2), event(3)], 'stays')];
    const told = listen(link, 't');
    await expect.poll(told.data).toEqual([1, 2, 3]);
    expect([told.gaps, errors]).toEqual([[], []]);
  });

  it('that reorders is told of by a gap, and never tells out of order', async () => {
    answers = [() => stream([opening, ready(0), event(1), event(3), event(2), event(4)], 'stays')];
    const told = listen(link, 't');
    await expect.poll(told.data).toEqual([1, 3, 4]);
    expect(told.gaps).toMatchObject([{ reason: 'disordered', requested: `${E}-3` }]);
    expect(errors).toHaveLength(1);
  });

  it('that changes to another log without a word is not believed: the next one tells of it', async () => {
    const other = line({ id: `${OTHER}-7`, topic: 't', time: '', type: 'message', data: 'other' });
    const gap = {
      topic: 't',
      requested: `${E}-1`,
      oldest: `${OTHER}-6`,
      latest: `${OTHER}-7`,
      reason: 'unknown-epoch',
    };
    answers = [
      () => stream([opening, ready(0), event(1), other], 'stays'),
      () => stream([opening, line({ control: 'gap', ...gap }), other], 'stays'),
    ];
    const troubles: unknown[] = [];
    link.observe(() => troubles.push(link.status.trouble));
    const told = listen(link, 't');
    await expect.poll(told.data).toEqual([1, 'other']);
    expect(troubles).toContainEqual({ kind: 'lost', why: 'malformed' });
    expect(told.gaps).toMatchObject([gap]);
  });

  it('that comes a byte at a time is understood', async () => {
    const text = opening + ready(0) + event(1) + event(2);
    answers = [() => stream([...text], 'stays')];
    const told = listen(link, 't');
    await expect.poll(told.data).toEqual([1, 2]);
  });

  it('that asks for patience is not tried before', async () => {
    const busy = { status: 503, headers: { 'Retry-After': '1', 'Content-Type': 'application/problem+json' } };
    answers = [() => new HttpResponse(JSON.stringify({ code: 'draining', status: 503 }), busy)];
    const began = Date.now();
    const told = listen(link, 't');
    await expect.poll(() => link.status.attempts).toBe(1);
    await expectRecovery(told);
    expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
  });

  it('that is closed on purpose is opened again when the server wants it', async () => {
    const close = line({ control: 'close', reason: 'draining', retry: 700 });
    answers = [() => stream([opening, ready(0), event(1), close], 'stays')];
    const began = Date.now();
    const told = listen(link, 't');
    await expect.poll(() => link.status.trouble).toEqual({ kind: 'closed', reason: 'draining' });
    await untilLive(told);
    expect(Date.now() - began).toBeGreaterThanOrEqual(700);
  });
});
