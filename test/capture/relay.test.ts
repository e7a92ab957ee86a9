import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { until } from '../support/until.ts';
import {
  captureTables,
  endsOf,
  isOutboxEmpty,
  readChanges,
  relayOn,
  replay,
  rowsOf,
  type TestRelay,
  targetsOf,
} from './relay-harness.ts';

describe('a relay over the one connection of an embedded database', () => {
  let database: Database;
  let relay: TestRelay;
  let captures: readonly number[];

  beforeEach(async () => {
    const store = await createPostgresStore(await openPglite());
    database = store.database;
    captures = await captureTables(database);
    relay = relayOn(store, captures);
  });
  afterEach(async () => {
    await relay.stop();
    await database.close();
  });

  it('moves what is written, and has told it', async () => {
    relay.start();
    for (let id = 0; id < 20; id += 1) {
      await database.query(`INSERT INTO items VALUES (${id}, 'x')`);
      await database.query(`UPDATE items SET value = 'y' WHERE id = ${id}`);
      relay.kick();
    }
    await until('everything is moved', () => isOutboxEmpty(database));
    const changes = await readChanges(relay.store.log, 'items');
    expect(changes.map(({ operation }) => operation).join('')).toBe('IU'.repeat(20));
    expect(replay(changes)).toEqual(await rowsOf(database, 'items'));
    await until('all is told', () => relay.told.reduce((sum, { batch }) => sum + batch.bodies.length, 0) === 40);
  });

  it('works again after it was stopped, and rests only when nobody has kicked it since it looked', async () => {
    let rests = 0;
    let kicks = 50;
    const restedWhileKicked: number[] = [];
    relay = relayOn(relay.store, captures, {
      busyMs: 5,
      targets: () => {
        // Comes while it looks.
        if (kicks > 0) relay.kick();
        kicks -= 1;
        return targetsOf(captures);
      },
      onRest: () => {
        rests += 1;
        if (kicks > 0) restedWhileKicked.push(kicks);
      },
    });
    for (let round = 1; round <= 3; round += 1) {
      const before = rests;
      relay.start();
      await database.query(`INSERT INTO items VALUES (${round}, 'x')`);
      await until('it is moved', () => relay.told.filter(({ topic }) => topic === 'items').length === round);
      await until('it rests', () => rests > before);
      await relay.stop();
      const stopped = rests;
      await database.query(`INSERT INTO notes VALUES (${round}, 'x')`);
      expect([relay.active, rests, await isOutboxEmpty(database)]).toEqual([false, stopped, false]);
      await relay.drained(captures, endsOf);
    }
    expect(restedWhileKicked).toEqual([]);
  });

  it('lets look at the tables where the log ends, whether it runs or not', async () => {
    await database.query(`INSERT INTO items SELECT i, 'x' FROM generate_series(1, 2500) i`);
    expect(await relay.drained(captures, endsOf)).toEqual({ items: 2500, notes: 0 });
    relay.start();
    for (let round = 0; round < 20; round += 1) {
      await database.query(`UPDATE items SET value = '${round}' WHERE id <= 3`);
      const { rows, ends } = await relay.drained(captures, async (transaction) => ({
        ends: await endsOf(transaction),
        rows: await rowsOf(transaction, 'items'),
      }));
      expect(replay(await readChanges(relay.store.log, 'items', ends.items))).toEqual(rows);
    }
  });
});
