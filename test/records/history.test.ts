/** The past of records in an embedded database. */
import { expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { createRelay } from '../../src/capture/relay.ts';
import { toEventBodies } from '../../src/records/change-event.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { CollectionsApp } from '../http/collections/app.ts';
import { COLLECTIONS, createTables } from '../http/collections/tables.ts';

it('tells the past of a record in an embedded database', { timeout: 30_000 }, async () => {
  const store = await createPostgresStore(await openPglite());
  const { database } = store;
  await createTables(database);
  await database.query('drop trigger next_version on orders');
  const added = await addCapture(database, 'orders');
  const [orders] = COLLECTIONS;
  if (!added.ok || orders === undefined) throw new Error('the table cannot be captured');
  const { id } = added.capture;
  const toBodies = (change: never) => toEventBodies(orders as never, change);
  const targets = new Map([[id, [{ topic: 'orders', toBodies }]]]);
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const relay = createRelay({ store, targets: () => targets, node: 'test', log: quiet, onMoved: () => undefined });
  relay.start();
  const app = new CollectionsApp(database, { drained: (work) => relay.drained([id], work), kick: () => relay.kick() });
  try {
    await app.create('orders', { id: 1, big: '9007199254740993' });
    const [first] = (await app.ask('orders/1/history')).body.versions;
    // The next change has another time.
    await database.query('SELECT pg_sleep(0.005)');
    await app.patch('orders/1', { big: '9007199254740995' });
    expect((await app.ask(`orders/1?at=${first.time}`)).body).toMatchObject({ big: '9007199254740993', version: 1 });
    const { body } = await app.ask('orders/1/history');
    expect(body).toMatchObject({ complete: true, versions: [{ version: 2, changed: ['big'] }, { version: 1 }] });
  } finally {
    await relay.stop();
    await store.close();
  }
});
