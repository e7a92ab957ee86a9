/** Pages of public topics at the edge: out of the cache of the location, where they may be kept. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signHs256 } from '../auth/issuer.ts';
import { STORM_SETTINGS } from '../crash/storm.ts';
import { until } from '../support/until.ts';
import { type Deployed, deploy } from './deployed.ts';

let deployed: Deployed;
beforeAll(async () => {
  const AUTH_ANON = JSON.stringify({ subscribe: ['public:**'], publish: ['**'] });
  deployed = await deploy({ settings: { ...STORM_SETTINGS, AUTH_ANON }, entry: 'test/cloudflare/observed-worker.ts' });
});
afterAll(() => deployed?.close());

const sockets = async (): Promise<number> => ((await (await fetch(`${deployed.url}/seen`)).json()) as any).sockets;
const read = (topic: string, query: string, headers: Record<string, string> = {}) =>
  fetch(`${deployed.url}/v1/topics/${topic}/events?format=json&${query}`, { headers });

/** Lets requests that are under way come to where they wait. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function publish(topic: string, count: number): Promise<readonly string[]> {
  const body = JSON.stringify(Array.from({ length: count }, (_, n) => ({ data: n + 1 })));
  const response = await fetch(`${deployed.url}/v1/topics/${topic}/events`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
  return ((await response.json()) as any).events.map(({ id }: any) => id);
}

describe('a page of a topic that everybody may read', () => {
  it('is asked of the object once when it is full, and then comes out of the cache', async () => {
    const [first = ''] = await publish('public:news', 10);
    const before = await sockets();
    const answers = [];
    for (const wait of [0, 5, 20, 0]) answers.push(await read('public:news', `after=${first}&limit=4&wait=${wait}`));
    expect(await sockets()).toBe(before + 1);
    const pages = await Promise.all(answers.map((answer) => answer.json() as Promise<any>));
    for (const page of pages) expect(page).toEqual(pages[0]);
    expect(pages[0].events.map(({ data }: any) => data)).toEqual([2, 3, 4, 5]);
    expect(answers.map((answer) => answer.headers.get('Cache-Control'))).toEqual(
      answers.map(() => 'public, max-age=3600, immutable'),
    );
  });

  it('that is not full is kept for a second, so that readers at one cursor share it, and misses nothing after', async () => {
    const [first = '', second = ''] = await publish('public:ticker', 2);
    const before = await sockets();
    const answers = [
      await read('public:ticker', `after=${first}&wait=20`),
      await read('public:ticker', `after=${first}&wait=20`),
    ];
    expect(await sockets()).toBe(before + 1);
    const [page] = await Promise.all(answers.map((answer) => answer.json() as Promise<any>));
    expect(page).toMatchObject({ cursor: second, more: false });
    const polling = read('public:ticker', `after=${page.cursor}&wait=20`);
    const [third] = await publish('public:ticker', 1);
    expect(((await (await polling).json()) as any).events.map(({ id }: any) => id)).toEqual([third]);
  });

  it('is never kept when it is empty, or has no cursor', async () => {
    const [only = ''] = await publish('public:quiet', 1);
    for (const query of [`after=${only}`, 'after=earliest', 'last=1'])
      expect((await read('public:quiet', query)).headers.get('Cache-Control'), query).toBe('no-store');
  });
});

describe('polls that wait for one page', () => {
  const poll = (topic: string, query: string, signal?: AbortSignal) =>
    fetch(`${deployed.url}/v1/topics/${topic}/events?format=json&${query}`, { ...(signal && { signal }) });

  it('are one question to the object, and all are answered', async () => {
    const [last = ''] = await publish('public:crowd', 1);
    const before = await sockets();
    const polls = Array.from({ length: 20 }, (_, n) => poll('public:crowd', `after=${last}&wait=${20 + n}`));
    await until('one of them asks', async () => (await sockets()) === before + 1);
    await pause(300);
    expect(await sockets()).toBe(before + 1);
    const [next] = await publish('public:crowd', 1);
    const pages = await Promise.all(polls.map(async (answer) => (await answer).json() as Promise<any>));
    for (const page of pages) expect(page.events.map(({ id }: any) => id)).toEqual([next]);
    expect(await sockets()).toBe(before + 1);
  });

  it('each end at their own time', async () => {
    const [last = ''] = await publish('public:patience', 1);
    const before = await sockets();
    const long = poll('public:patience', `after=${last}&wait=20`);
    await until('it asks', async () => (await sockets()) === before + 1);
    const begun = performance.now();
    const short = await poll('public:patience', `after=${last}&wait=1`);
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(performance.now() - begun).toBeLessThan(4000);
    expect([short.status, ((await short.json()) as any).events]).toEqual([200, []]);
    await publish('public:patience', 1);
    expect(((await (await long).json()) as any).events).toHaveLength(1);
  });

  it('are answered though the one that asked goes away', async () => {
    const [last = ''] = await publish('public:leaving', 1);
    const before = await sockets();
    const leaving = new AbortController();
    const first = poll('public:leaving', `after=${last}&wait=20`, leaving.signal).catch(() => undefined);
    await until('it asks', async () => (await sockets()) === before + 1);
    const second = poll('public:leaving', `after=${last}&wait=20`);
    await pause(100);
    leaving.abort();
    await first;
    const [next] = await publish('public:leaving', 1);
    expect(((await (await second).json()) as any).events.map(({ id }: any) => id)).toEqual([next]);
  });

  it('are not told what only others may read', async () => {
    const [last = ''] = await publish('hidden', 1);
    const token = await signHs256({ sub: 'a', sluice: { subscribe: ['**'] } }, STORM_SETTINGS.AUTH_SECRET);
    const before = await sockets();
    const query = `after=${last}&wait=5`;
    const may = read('hidden', query, { Authorization: `Bearer ${token}` });
    await until('who may read it waits', async () => (await sockets()) === before + 1);
    expect((await poll('hidden', query)).status).toBe(401);
    const [next] = await publish('hidden', 1);
    expect(((await (await may).json()) as any).events.map(({ id }: any) => id)).toEqual([next]);
  });
});

describe('a page that a header asks for', () => {
  it('is not kept under a URL that says otherwise', async () => {
    const ids = await publish('public:headers', 10);
    const query = `after=${ids[0]}&limit=3`;
    const by = await read('public:headers', query, { 'Last-Event-ID': ids[5] ?? '' });
    expect(by.headers.get('Cache-Control')).toBe('no-store');
    expect(((await by.json()) as any).events.map(({ data }: any) => data)).toEqual([7, 8, 9]);
    const plain = (await (await read('public:headers', query)).json()) as any;
    expect(plain.events.map(({ data }: any) => data)).toEqual([2, 3, 4]);
    const again = (await (await read('public:headers', query, { 'Last-Event-ID': ids[5] ?? '' })).json()) as any;
    expect(again.events.map(({ data }: any) => data)).toEqual([7, 8, 9]);
  });
});

describe('a page of any other topic', () => {
  it('is kept by nobody, and given to nobody else', async () => {
    const [first = ''] = await publish('private', 10);
    const query = `after=${first}&limit=4`;
    const token = await signHs256(
      { sub: 'a', exp: Math.floor(Date.now() / 1000) + 600, sluice: { subscribe: ['**'] } },
      STORM_SETTINGS.AUTH_SECRET,
    );
    const answer = await read('private', query, { Authorization: `Bearer ${token}` });
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store']);
    expect((await read('private', query)).status).toBe(401);
  });

  it('is refused to a bad token though the page is there', async () => {
    const [first = ''] = await publish('public:seen', 10);
    const query = `after=${first}&limit=4`;
    expect((await read('public:seen', query)).status).toBe(200);
    expect((await read('public:seen', query, { Authorization: 'Bearer nonsense' })).status).toBe(401);
  });
});
