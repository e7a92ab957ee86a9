/** The object of a Worker's collections: when it works and when it sleeps, and what it does where the database is not as it must be. */
import { afterAll, describe, it, type TestContext } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { removeCapture } from '../../src/capture/remove-capture.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import { createRealtime } from '../../src/http/realtime.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { signHs256 } from '../auth/issuer.ts';
import type { System } from '../collections/system.ts';
import { findPostgres } from '../support/postgres-database.ts';
import { type Block, openSse } from '../support/sse-client.ts';
import { until } from '../support/until.ts';
import { openWorkerSystem } from './collections-system.ts';
import { CAPTURED, COLLECTIONS, SCHEMA } from './object-tables.ts';
import { killWorkers } from './worker-process.ts';

const options = { schema: SCHEMA, captured: CAPTURED, entry: 'test/cloudflare/object-tables-worker.ts' };

afterAll(killWorkers);

async function open(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  settings: Readonly<Record<string, string>>,
  prepare?: (system: System) => Promise<void>,
) {
  const system = await openWorkerSystem({ ...options, settings });
  onTestFinished(() => system.close());
  await prepare?.(system);
  const url = `http://127.0.0.1:${system.port(0)}`;
  const token = await system.token({ sub: 'ann', role: 'authenticated' });
  const admin = await signHs256({ sub: 'root', sluice: { admin: true } });

  async function ask(path: string, { as = token, ...init }: RequestInit & { as?: string } = {}) {
    const headers = { Authorization: `Bearer ${as}`, 'Content-Type': 'application/json' };
    const response = await fetch(`${url}/v1/${path}`, { ...init, headers });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  async function follow(topic: string) {
    const blocks: Block[] = [];
    const { body } = await ask(`collections/${topic}`);
    const path = `/v1/topics/${topic}/events?after=${body.cursor}`;
    const connection = openSse({ port: system.port(0), path, token, onBlock: (block) => blocks.push(block) });
    onTestFinished(() => connection.close());
    await until('the stream is live', () => blocks.some(({ event }) => event === '$ready'));
    const told = () =>
      blocks.flatMap(({ event, data }) => {
        const { type, key } = event === undefined ? JSON.parse(data) : {};
        return event === undefined ? [`${type} ${key}`] : [];
      });
    const has = (name: string) => () => blocks.some(({ event }) => event === name);
    return { told, isLost: has('$gap'), isClosed: has('$close') };
  }

  const seen = async (): Promise<{ wakes: number; sockets: number }> => (await fetch(`${url}/seen`)).json();
  const create = (topic: string, id: number) =>
    ask(`collections/${topic}`, { method: 'POST', body: JSON.stringify({ id, owner: 'ann' }) });
  const hand = (path: string) => fetch(`${url}${path}`);
  return { system, admin, ask, follow, seen, create, hand };
}

const server = await findPostgres();

describe.skipIf(server === undefined).concurrent('the object of collections', { timeout: 90_000 }, () => {
  it('sleeps while nobody writes, under the sockets of its readers, and is woken by a write of this API', async ({
    expect,
    onTestFinished,
  }) => {
    // Nothing is looked for meanwhile: what comes comes by a kick.
    const { follow, seen, create } = await open({ onTestFinished }, { CAPTURE_INTERVAL: '30m' });
    const readers = [await follow('parcels'), await follow('letters')];
    await create('parcels', 1);
    await create('letters', 1);
    await until('both are told', () => readers.every(({ told }) => told().length === 1));
    const before = await seen();
    // Its idle connections are closed after five seconds, and the runtime puts an object to sleep ten seconds after it did something last.
    await new Promise((resolve) => setTimeout(resolve, 21_000));
    expect(await seen()).toEqual(before);
    await create('parcels', 2);
    await create('letters', 2);
    await until('both are told', () => readers.every(({ told }) => told().length === 2));
    expect(await seen()).toEqual({ wakes: before.wakes + 1, sockets: before.sockets });
    expect(readers.map(({ told }) => told())).toEqual([
      ['insert 1', 'insert 2'],
      ['insert 1', 'insert 2'],
    ]);
    expect(readers.map(({ isLost }) => isLost())).toEqual([false, false]);
  });

  it('finds within two seconds, unless told otherwise, what others write while somebody reads', async ({
    expect,
    onTestFinished,
  }) => {
    const { system, follow } = await open({ onTestFinished }, { CAPTURE_INTERVAL: '' });
    const reader = await follow('parcels');
    const times: number[] = [];
    for (let id = 1; id <= 3; id += 1) {
      const begun = performance.now();
      await system.sql`INSERT INTO parcels VALUES (${id}, 'ann')`;
      await until('it is told', () => reader.told().length === id);
      times.push(performance.now() - begun);
    }
    // What a busy machine adds is a second.
    expect(Math.max(...times)).toBeLessThan(3000);
  });

  it('goes on with the logs that a server on Node has begun, and lets go of what retention allows of them', async ({
    expect,
    onTestFinished,
  }) => {
    const settings = { RETENTION_EVENTS: '5' };
    const { system, admin, ask, create, follow } = await open({ onTestFinished }, settings, async ({ sql, url }) => {
      await sql`INSERT INTO sluice.topics (name, latest, oldest, incarnation) VALUES ('other', 10, 1, 0)`;
      const store = await createPostgresStore(await connectPostgres({ url }));
      const realtime = createRealtime({ store, collections: liveCollections(COLLECTIONS) });
      await realtime.started;
      await sql`INSERT INTO parcels SELECT n, 'ann' FROM generate_series(1, 20) n`;
      await until('it is moved', async () => (await store.log.topic('parcels'))?.latest === 20);
      await realtime.close();
    });
    const status = async () => (await ask('topics/parcels', { as: admin })).body;
    const before = await status();
    expect(before).toMatchObject({ events: 20 });
    const { told } = await follow('parcels');
    await until('it is tidied', async () => (await status()).events === 5);
    expect(await system.sql`SELECT oldest FROM sluice.topics WHERE name = 'other'`).toEqual([{ oldest: '1' }]);
    await create('parcels', 21);
    await until('it is told', () => told().length === 1);
    const { latest, subscribers } = await status();
    expect([latest, subscribers]).toEqual([before.latest.replace(/20$/, '21'), 1]);
    expect((await ask('topics?prefix=p', { as: admin })).body.topics).toMatchObject([{ topic: 'parcels' }]);
  });

  it('serves what is as it must be, answers 503 of the rest, says in the log what to run, and goes on when it was run', async ({
    expect,
    onTestFinished,
  }) => {
    const { system, ask, create, follow } = await open({ onTestFinished }, {}, async ({ url }) => {
      const database = await connectPostgres({ url });
      await removeCapture(database, 'letters');
      await database.close();
    });
    const reader = await follow('parcels');
    expect((await create('parcels', 1)).status).toBe(201);
    expect((await ask('collections/letters')).status).toBe(503);
    expect((await create('letters', 1)).status).toBe(503);
    expect(system.faults.join('\n')).toContain(`sluice capture add '"letters"'`);
    expect((await ask('topics/chat/events', { method: 'POST', body: '{"data":1}' })).status).toBe(201);
    await until('it is told', () => reader.told().length === 1);
    const database = await connectPostgres({ url: system.url });
    await addCapture(database, 'letters');
    await database.close();
    await until('it is served', async () => (await create('letters', 1)).status === 201);
    await follow('letters');
    expect(reader.isLost()).toBe(false);
  });

  it('closes the streams of a table that is not captured any more when the object comes back, and leaves all others', async ({
    expect,
    onTestFinished,
  }) => {
    const { system, follow, create, hand } = await open({ onTestFinished }, {});
    const [parcels, letters] = [await follow('parcels'), await follow('letters')];
    const database = await connectPostgres({ url: system.url });
    await hand('/end');
    await removeCapture(database, 'letters');
    await database.close();
    await until('its stream is closed', () => letters.isClosed());
    await create('parcels', 1);
    await until('the others go on', () => parcels.told().length === 1);
    expect([parcels.isClosed(), parcels.isLost()]).toEqual([false, false]);
  });

  it('tells what was written at once though the object was ended while it was moving, or lost its connections', async ({
    expect,
    onTestFinished,
  }) => {
    // Nobody would look again before long.
    const { system, follow, create, hand } = await open({ onTestFinished }, { CAPTURE_INTERVAL: '30m' });
    const reader = await follow('parcels');
    for (let id = 1; id <= 8; id += 1) {
      expect((await create('parcels', id)).status).toBe(201);
      // In the middle of what the write has kicked.
      if (id % 2 === 0) await system.cutConnections();
      else await hand('/end');
      await until('it is told', () => reader.told().includes(`insert ${id}`), 15_000);
    }
    expect(reader.isLost()).toBe(false);
    expect(reader.told()).toHaveLength(8);
  });

  it('tells at once what a server on Node has moved for it', async ({ expect, onTestFinished }) => {
    const { system, follow, create } = await open({ onTestFinished }, { CAPTURE_INTERVAL: '30m' });
    const store = await createPostgresStore(await connectPostgres({ url: system.url }));
    const realtime = createRealtime({ store, collections: liveCollections(COLLECTIONS) });
    onTestFinished(() => realtime.close());
    await realtime.started;
    const reader = await follow('parcels');
    for (let id = 1; id <= 3; id += 1) {
      await create('parcels', id);
      await until('it is told', () => reader.told().length === id, 5000);
    }
    expect(reader.isLost()).toBe(false);
  });
});
