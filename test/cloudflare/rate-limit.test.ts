/** The platform's own limiter, in workerd. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STORM_SETTINGS } from '../crash/storm.ts';
import { type Deployed, deploy } from './deployed.ts';

let deployed: Deployed;
beforeAll(async () => {
  deployed = await deploy({ settings: STORM_SETTINGS, writesPerTenSeconds: 5 });
});
afterAll(() => deployed?.close());

it('a deployment with the platform’s limiter refuses writes beyond it with 429, and loses none that it took', async () => {
  const write = (n: number) =>
    fetch(`${deployed.url}/v1/topics/metered/events`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'CF-Connecting-IP': '192.0.2.1' },
      body: JSON.stringify({ data: n }),
    });
  const answers = [];
  for (let n = 1; n <= 8; n += 1) answers.push(await write(n));
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 429, 429, 429]);
  const refused = answers.at(-1)!;
  expect(refused.headers.get('Retry-After')).toBe('10');
  expect(((await refused.json()) as any).code).toBe('rate-limited');
  const page = (await (
    await fetch(`${deployed.url}/v1/topics/metered/events?format=json&after=earliest`)
  ).json()) as any;
  expect(page.events.map(({ data }: any) => data)).toEqual([1, 2, 3, 4, 5]);
});
