/** The promise of presence at its full size: of ten thousand members that fall silent, none outlives one ttl. */
import { afterAll, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/store/memory.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { Store } from '../../src/store/store.ts';
import { signHs256 } from '../auth/issuer.ts';
import { TestApp } from '../http/app.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { until } from '../support/until.ts';

const MEMBERS = 10_000;
const TOPICS = 20;
const TTL_SECONDS = 5;
/**
 * How much later than the end of its ttl a member may be believed present by a watcher, in ms: a sweep and its way to the
 * watcher, on a machine that does other things too. In lists it is none: they go by the store's clock.
 */
const TOLERANCE_MS = 1000;

const topicOf = (index: number) => `hall:${index % TOPICS}`;
const server = await findPostgres();
const databases: TestDatabase[] = [];
afterAll(async () => {
  for (const database of databases) await database.drop();
});

/** Two nodes: members come to both of them, and the watchers are on the second. */
async function crowd(stores: readonly [Store, Store]): Promise<void> {
  const hub = createLocalHub();
  const apps = ['node0001', 'node0002'].map(
    (node, index) =>
      new TestApp({
        store: stores[index as 0 | 1],
        node,
        bus: hub.bus(node),
        callerLimits: { writesPerSubject: undefined },
      }),
  );
  const [one, other] = apps as [TestApp, TestApp];
  const token = await signHs256({
    sub: 'crowd',
    exp: Math.floor(Date.now() / 1000) + 600,
    sluice: { subscribe: ['**'], presence: ['**'] },
  });
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ ttl: TTL_SECONDS });

  const query = Array.from({ length: TOPICS }, (_, index) => `topic=${topicOf(index)}`).join('&');
  const watcher = await other.stream(`/v1/events?${query}&presence=1`, { headers, as: null });
  /** When each was told to have left, and how often it was told to be there. */
  const left = new Map<string, number>();
  const joins = new Map<string, number>();
  let seen = 0;
  const take = (): void => {
    const now = Date.now();
    for (; seen < watcher.blocks.length; seen += 1) {
      const { event, data } = watcher.blocks[seen]!;
      if (event !== '$presence') continue;
      const { change, member } = JSON.parse(data);
      if (change === 'join') joins.set(member, (joins.get(member) ?? 0) + 1);
      if (change === 'leave') left.set(member, now);
    }
  };
  await until('every topic was told', () => watcher.control('presence').length === TOPICS);

  const expires = new Map<string, number>();
  const members = Array.from({ length: MEMBERS }, (_, index) => index);
  const clients = Array.from({ length: 100 }, async () => {
    for (let index = members.pop(); index !== undefined; index = members.pop()) {
      const app = index % 3 === 0 ? one : other;
      const answer = await app.request(`/v1/presence/${topicOf(index)}/m${index}`, { method: 'PUT', headers, body });
      expect(answer.status).toBe(200);
      expires.set(`m${index}`, Date.parse(((await answer.json()) as any).expires));
      take();
    }
  });
  await Promise.all(clients);
  const last = Math.max(...expires.values());
  while (left.size < MEMBERS && Date.now() < last + 10_000) {
    const topic = topicOf(left.size);
    const asked = Date.now();
    const answer = await one.request(`/v1/presence/${topic}`, { headers });
    for (const { member } of ((await answer.json()) as any).members)
      expect(expires.get(member), `${member} is listed`).toBeGreaterThan(asked);
    await new Promise((resolve) => setTimeout(resolve, 5));
    take();
  }
  expect(left.size).toBe(MEMBERS);
  expect([...joins.values()].every((times) => times === 1)).toBe(true);
  expect(joins.size).toBe(MEMBERS);
  const late = [...left].map(([member, at]) => at - expires.get(member)!);
  expect(Math.max(...late)).toBeLessThanOrEqual(TOLERANCE_MS);
  // And none was given up before its time.
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  for (const app of apps) await app.close();
}

describe('ten thousand members that fall silent', () => {
  it('are gone within one ttl, in memory', { timeout: 60_000 }, async () => {
    const store = createMemoryStore();
    await crowd([store, store]);
  });

  it.skipIf(server === undefined)('are gone within one ttl, on Postgres', { timeout: 90_000 }, async () => {
    const database = await createDatabase();
    databases.push(database);
    const open = async () =>
      createPostgresStore(await connectPostgres({ url: database.url }), { schedule: setImmediate });
    await crowd([await open(), await open()]);
  });
});
