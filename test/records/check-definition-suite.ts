/** What the check of definitions finds, over whatever database. */
import { bigint, boolean, integer, pgEnum, pgTable, text } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDefinition, checkDefinitions, DefinitionMismatch } from '../../src/records/check-definition.ts';
import { type Collection, collection } from '../../src/records/collection.ts';
import { everyRow, rls } from '../../src/records/visibility.ts';
import type { Database } from '../../src/store/postgres/database.ts';

const version = () => integer('version').notNull().default(1);

export function checkDefinitionSuite(
  name: string,
  open: () => Promise<{ readonly database: Database; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      opened = await open();
      for (const statement of [
        `create type size as enum ('s', 'm', 'l')`,
        `create domain label as text check (length(value) < 9)`,
        `create table things (id int primary key, name label, size size, count int8 not null, made int generated always as identity,
           version int not null default 1)`,
        `create table bare (id int, other text not null, version int not null)`,
        `create view things_view as select * from things`,
      ])
        await opened.database.query(statement);
    });
    afterAll(() => opened.close());

    const mismatches = async (...collections: Collection[]): Promise<readonly string[]> => {
      try {
        await checkDefinitions(opened.database, collections);
        return [];
      } catch (error) {
        if (!(error instanceof DefinitionMismatch)) throw error;
        for (const mismatch of error.mismatches) expect(error.message).toContain(mismatch);
        return error.mismatches;
      }
    };
    const size = pgEnum('size', ['s', 'm', 'l']);
    const columns = {
      id: integer('id').primaryKey(),
      name: text('name'),
      size: size('size'),
      count: bigint('count', { mode: 'bigint' }).notNull(),
      made: integer('made').notNull().generatedAlwaysAsIdentity(),
      version: version(),
    };

    it('lets pass what matches', async () => {
      await checkDefinition(
        opened.database,
        collection('things', { table: pgTable('things', columns), visibility: everyRow() }),
      );
    });

    it('names every column that does not', async () => {
      const table = pgTable('things', {
        ...columns,
        name: integer('name').notNull(),
        size: pgEnum('size', ['s', 'm'])('size'),
        count: bigint('count', { mode: 'bigint' }).notNull().default(0n),
        made: integer('made').notNull(),
        extra: boolean('extra'),
      });
      expect(await mismatches(collection('things', { table, visibility: rls() }))).toEqual([
        '"things": rls() needs it: ALTER TABLE "things" ENABLE ROW LEVEL SECURITY',
        'things.name: it is label, and defined as integer',
        'things.name: it may be null, and is defined as not null',
        'things.size: the definition lacks the values l',
        'things.count: it may not be null and has no default in the database, so the definition cannot let it be left out',
        'things.made: Postgres generates it always, and it is not defined so',
        'things.extra: there is no such column',
      ]);
    });

    it('asks for a key of one row, a version with a default, and a value for every column', async () => {
      const table = pgTable('bare', { id: integer('id').primaryKey(), version: version() });
      expect(await mismatches(collection('bare', { table, visibility: everyRow() }))).toEqual([
        'bare.id: it may be null, and is defined as not null',
        'bare.version: it needs a default: ALTER COLUMN version SET DEFAULT 1',
        'bare.other: it has no default and may not be null, and the definition lacks it',
        '"bare": no unique index makes (id) the key of one row',
      ]);
    });

    it('tells of all collections at once, also of tables that are not there or none', async () => {
      const missing = collection('missing', { table: pgTable('missing', columns), visibility: everyRow() });
      const view = collection('view', {
        table: pgTable('things_view', columns),
        visibility: everyRow(),
        readOnly: true,
      });
      const found = await mismatches(missing, view);
      expect(found).toContain('"missing": there is no such table');
      expect(found).toContain('"things_view": it is not a table');
    });
  });
}
