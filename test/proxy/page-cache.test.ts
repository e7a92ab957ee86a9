/** A real nginx that keeps pages: what it may keep it is told, and of all who poll at one cursor, one asks the server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serveForTest } from '../browser/served.ts';
import { until } from '../support/until.ts';
import { NGINX, type Nginx, startNginx } from './nginx.ts';

const KEEPING = [
  'proxy_cache pages',
  // Those who ask for what is asked for already wait for that answer.
  'proxy_cache_lock on',
  'proxy_cache_lock_timeout 60s',
  'proxy_cache_lock_age 60s',
  'add_header X-Cache $upstream_cache_status',
];

describe.skipIf(NGINX === undefined)('behind an nginx that keeps pages', () => {
  let served: Served;
  let nginx: Nginx;
  let url: string;

  beforeAll(async () => {
    served = await serveForTest('serve', { AUTH_ANON: JSON.stringify({ subscribe: ['public:**'] }) });
    nginx = await startNginx(served.url, KEEPING);
    url = `${nginx.url}/v1/topics`;
  });
  afterAll(async () => {
    await nginx?.close();
    await served?.close();
  });

  it('twenty polls of one cursor are one question to the server, and all are answered by what comes', {
    timeout: 60_000,
  }, async () => {
    await served.publishNumbers('public:news', 1, 3);
    const page = (await (await fetch(`${url}/public:news/events?format=json`)).json()) as any;
    const polls = Array.from({ length: 20 }, () =>
      fetch(`${url}/public:news/events?format=json&wait=30&after=${page.cursor}`),
    );
    await until('the server is asked', () => served.subscriptions() > 0);
    expect(served.subscriptions()).toBe(1);
    await served.publishNumbers('public:news', 4, 4);
    const answers = await Promise.all(polls);
    const pages = await Promise.all(answers.map((answer) => answer.json() as Promise<any>));
    expect(pages.map(({ events }) => events.map(({ data }: any) => data))).toEqual(pages.map(() => [4]));
    const asked = answers.map((answer) => answer.headers.get('X-Cache'));
    expect(asked.filter((status) => status === 'MISS')).toHaveLength(1);
    expect(asked.filter((status) => status === 'HIT')).toHaveLength(19);
  });

  it('a full page is asked for once', async () => {
    await served.publishNumbers('public:old', 1, 30);
    const start = ((await (await fetch(`${url}/public:old/events?format=json&limit=1`)).json()) as any).cursor;
    const read = () => fetch(`${url}/public:old/events?format=json&limit=10&after=${start}`);
    const answers = [await read(), await read(), await read()];
    expect(answers.map((answer) => answer.headers.get('X-Cache'))).toEqual(['MISS', 'HIT', 'HIT']);
    const [page] = await Promise.all(answers.map((answer) => answer.json() as Promise<any>));
    expect(page.events.map(({ data }: any) => data)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('what not everybody may read is never kept', async () => {
    await served.publishNumbers('private', 1, 30);
    const token = await served.token({ sub: 'a', sluice: { subscribe: ['**'] } });
    const read = (headers: Record<string, string>) =>
      fetch(`${url}/private/events?format=json&limit=10&after=earliest`, { headers });
    const allowed = { Authorization: `Bearer ${token}` };
    const answers = [await read(allowed), await read(allowed)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers.map((answer) => answer.headers.get('X-Cache'))).toEqual(['MISS', 'MISS']);
    expect((await read({})).status).toBe(401);
  });
});
