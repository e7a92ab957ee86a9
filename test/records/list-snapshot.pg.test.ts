/** A list and its cursor are of one moment: what the log says up to the cursor is what the list says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { createRelay, type Relay } from '../../src/capture/relay.ts';
import { parseCursor } from '../../src/protocol/cursor.ts';
import { decodeEventBody } from '../../src/protocol/event.ts';
import { toEventBodies } from '../../src/records/change-event.ts';
import { createRecords, type Records } from '../../src/records/records.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore, type PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { COLLECTIONS, createTables } from '../http/collections/tables.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';

const [orders] = COLLECTIONS;
const caller = { role: 'authenticated', sub: 'a', claims: {} };
const seed = chooseSeed();

describe.skipIf((await findPostgres()) === undefined)('a list', () => {
  let made: TestDatabase;
  let store: PostgresStore;
  let relay: Relay;
  let records: Records;

  beforeAll(async () => {
    made = await createDatabase();
    store = await createPostgresStore(await connectPostgres(made));
    const { database } = store;
    await createTables(database);
    await database.query('drop trigger next_version on orders');
    const added = await addCapture(database, 'orders');
    if (!added.ok || orders === undefined) throw new Error(JSON.stringify(added));
    const { id } = added.capture;
    const targets = new Map([
      [id, { topic: 'orders', toBodies: (change: never) => toEventBodies(orders as never, change) }],
    ]);
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    relay = createRelay({ store, targets: () => targets, node: 'test', log: quiet, onMoved: () => undefined });
    relay.start();
    records = createRecords({
      database,
      collections: COLLECTIONS,
      epochOf: (topic, incarnation) => store.epochOf(topic, incarnation),
      drained: (work) => relay.drained([id], work),
      kick: () => relay.kick(),
      secret: () => store.secret('pages'),
    });
  });
  afterAll(async () => {
    await relay.stop();
    await store.close();
    await made.drop();
  });

  /** What replaying the log up to an event gives: versions by id. */
  async function replay(upTo: number): Promise<Map<string, number>> {
    const state = new Map<string, number>();
    for (let after = 0; after < upTo; ) {
      const { batches } = await store.log.read('orders', after, 1000);
      for (const { first, bodies } of batches) {
        for (const [index, body] of bodies.entries()) {
          after = first + index;
          if (after > upTo) return state;
          const { type, key = '', data } = decodeEventBody(body);
          if (type === 'delete') state.delete(key);
          else state.set(key, (data as { version: number }).version);
        }
      }
    }
    return state;
  }

  it('shows what the log says up to its cursor, while many write', async () => {
    const random = seededRandom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    let writing = true;
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      for (let step = 0; step < 150; step += 1) {
        const key = String(pick(30));
        const base = { caller, preconditions: {}, key, mutation: `${writer}/${step}` };
        const kind = pick(10);
        // Another service, beside the API; two of them could deadlock over their many rows.
        if (kind < 5 && writer === 0) await made.sql`update orders set stock = stock + 1 where id < 10`;
        else if (kind < 3) await records.remove('orders', base);
        else if (kind < 7) await records.replace('orders', { ...base, value: { stock: pick(100) } });
        else await records.patch('orders', { ...base, value: { note: `n${pick(9)}` } });
      }
    });
    const snapshots: { readonly seq: number; readonly state: Map<string, number> }[] = [];
    const reading = (async () => {
      while (writing) {
        const list = await records.list('orders', caller, { filters: [], limit: 1000 });
        if (list.kind !== 'listed') throw new Error('no list');
        const rows = list.records.map((record) => JSON.parse(record));
        const state = new Map<string, number>(rows.map(({ id, version }) => [String(id), version]));
        snapshots.push({ seq: parseCursor(list.cursor)?.seq ?? -1, state });
      }
    })();
    await Promise.all(writers);
    writing = false;
    await reading;
    expect(snapshots.length).toBeGreaterThan(4);
    for (const { seq, state } of snapshots) {
      const expected = await replay(seq);
      expect(new Map([...state].sort()), `seed ${seed}, up to ${seq}`).toEqual(new Map([...expected].sort()));
    }
  });

  it('carries who wrote, and by which write, into the event', async () => {
    await records.create('orders', { caller, value: { id: 9001, note: 'x' }, mutation: 'key-1' });
    const list = await records.list('orders', caller, { filters: ['id=eq.9001'], limit: 1 });
    if (list.kind !== 'listed') throw new Error('no list');
    const { batches } = await store.log.read('orders', (parseCursor(list.cursor)?.seq ?? 1) - 1, 1);
    const bodies = batches.flatMap((batch) => batch.bodies).map(decodeEventBody);
    expect(bodies.find(({ key }) => key === '9001')).toMatchObject({
      type: 'insert',
      actor: 'a',
      mutation: 'key-1',
      data: { version: 1, new: JSON.parse(list.records[0] ?? '') },
    });
  });
});
