import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { until } from '../support/until.ts';
import {
  captureTables,
  isOutboxEmpty,
  openStore,
  readChanges,
  relayOn,
  replay,
  rowsOf,
  type TestRelay,
  targetsOf,
} from './relay-harness.ts';

const keyOf = (image: string) => String((JSON.parse(image) as { id: number }).id);

/** What a statement does to a row of its own, it has noted only after the trigger's statement noted what that did to the row. */
const TRIGGER = `
  CREATE FUNCTION touch_next() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF pg_trigger_depth() > 1 THEN
      RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
      UPDATE items SET value = value || '+' WHERE id = OLD.id + 1;
      UPDATE items SET id = -OLD.id WHERE id = OLD.id AND OLD.id % 7 = 0;
    ELSIF OLD.id % 2 = 1 THEN
      INSERT INTO items VALUES (OLD.id + 1, 'again') ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
  END
  $$;
  CREATE TRIGGER touch_next AFTER UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION touch_next()`;

describe.skipIf((await findPostgres()) === undefined)('what a relay moves of one transaction', () => {
  let made: TestDatabase;
  let relay: TestRelay;

  beforeEach(async () => {
    made = await createDatabase();
    const store = await openStore(made.url);
    const captures = await captureTables(store.database);
    await made.sql.unsafe(TRIGGER);
    const targets = new Map(
      Array.from(targetsOf(captures), ([capture, target]) => [capture, { ...target, keyOf }] as const),
    );
    relay = relayOn(store, captures, { targets: () => targets });
  });
  afterEach(async () => {
    await relay.stop();
    await relay.store.close();
    await made.drop();
  });

  it.each([
    ['few', 5],
    ['more than are read at once', 2500],
  ])('is what became of each row, where triggers change rows of the same statement: %s', async (_, rows) => {
    const { sql } = made;
    await sql`INSERT INTO items SELECT n, 'row ' || n FROM generate_series(1, ${rows}::int) n`;
    await sql`UPDATE items SET value = 'new ' || id`;
    // Rows that the statement has deleted are there again before their deletion is noted.
    await sql`DELETE FROM items WHERE id % 5 > 2`;
    const noted = await sql`SELECT operation, old, new, xact::text, mutation FROM sluice.changes ORDER BY id`;
    expect(() => replay(noted as never)).toThrow('does not follow');
    relay.start();
    await until('everything is moved', () => isOutboxEmpty(relay.store.database));
    const changes = await readChanges(relay.store.log, 'items');
    expect(replay(changes)).toEqual(await rowsOf(relay.store.database, 'items'));
    expect(relay.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each([
    ['small', 10],
    ['larger than is read at once', 1200],
  ])('is nothing that was undone or changed again within it: %s', async (_, rows) => {
    const { sql } = made;
    await sql`DROP TRIGGER touch_next ON items`;
    await sql`INSERT INTO items VALUES (5000, 'before')`;
    await sql.begin(async (transaction) => {
      await transaction`INSERT INTO items VALUES (1, 'secret'), (2, 'never')`;
      await transaction`UPDATE items SET value = 'between' WHERE id = 5000`;
      await transaction`INSERT INTO items SELECT n, 'x' FROM generate_series(100, ${99 + rows}::int) n`;
      await transaction`UPDATE items SET value = 'public' WHERE id = 1`;
      await transaction`DELETE FROM items WHERE id IN (2, 5000)`;
      await transaction`INSERT INTO items VALUES (5000, 'after')`;
    });
    relay.start();
    await until('everything is moved', () => isOutboxEmpty(relay.store.database));
    const changes = await readChanges(relay.store.log, 'items');
    expect(replay(changes)).toEqual(await rowsOf(relay.store.database, 'items'));
    expect(JSON.stringify(changes)).not.toMatch(/secret|never|between/);
    expect(changes).toHaveLength(rows + 4);
    // Another row has come under the key, and begins with another version: it is no update.
    const of5000 = changes.filter(({ old, new: row }) => (row ?? old)?.id === 5000);
    expect(of5000.map(({ operation }) => operation).join('')).toBe('IDI');
    expect(new Set(changes.slice(1).map(({ xact }) => xact)).size).toBe(1);
  });
});
