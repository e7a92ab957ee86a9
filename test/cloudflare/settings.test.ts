/** A deployment that lacks what it needs, or has it wrong. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Deployed, deploy } from './deployed.ts';

let deployed: Deployed | undefined;
afterEach(() => deployed?.close());

describe('a deployment', () => {
  it.each([
    ['without a secret', {}],
    ['with one that is too short', { AUTH_SECRET: 'short' }],
    ['with a limit that is none', { AUTH_SECRET: 'x'.repeat(40), LIMIT_EVENT_BYTES: 'many' }],
  ])('%s says so by a problem, and tells nobody what is wrong', async (_, settings) => {
    deployed = await deploy({ settings });
    const response = await fetch(`${deployed.url}/v1/topics/t/events`);
    expect(response.status).toBe(500);
    expect(response.headers.get('Content-Type')).toBe('application/problem+json');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({
      code: 'internal',
      detail: 'The deployment is not configured: see its log.',
    });
    expect(text).not.toMatch(/AUTH_SECRET|LIMIT_EVENT_BYTES/);
  });

  it('keeps only the newest event of each key where a topic is to be compacted', async () => {
    deployed = await deploy({
      settings: {
        AUTH_SECRET: 'x'.repeat(40),
        AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
        COMPACT_TOPICS: 'stock:*',
      },
    });
    const url = `${deployed.url}/v1/topics/stock:apples/events`;
    const events = Array.from({ length: 40 }, (_, n) => ({ key: `k${n % 4}`, data: n }));
    await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(events) });
    const read = async () =>
      ((await (await fetch(`${url}?format=json&after=earliest`)).json()) as any).events.map(({ data }: any) => data);
    expect(await read()).toHaveLength(40);
    // By the object's alarm, in its own time.
    await expect.poll(read, { timeout: 40_000, interval: 500 }).toEqual([36, 37, 38, 39]);
  }, 60_000);
});
