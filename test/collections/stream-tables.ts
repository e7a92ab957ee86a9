/** The tables of the tests of streams. */
import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import { collection } from '../../src/records/collection.ts';
import { everyRow, rls, scope } from '../../src/records/visibility.ts';

export const SCHEMA = `
  CREATE TABLE orders (id int PRIMARY KEY, owner text NOT NULL, status text NOT NULL, amount numeric(20,2) NOT NULL DEFAULT 0, note text, version int NOT NULL DEFAULT 1);
  CREATE TABLE notes (id int PRIMARY KEY, owner text NOT NULL, body text NOT NULL, version int NOT NULL DEFAULT 1);
  CREATE TABLE risky (id int PRIMARY KEY, n int NOT NULL, version int NOT NULL DEFAULT 1, t jsonb, r text, hidden text);
  CREATE TABLE amounts (id numeric PRIMARY KEY, note text, version int NOT NULL DEFAULT 1);
  ALTER TABLE amounts ENABLE ROW LEVEL SECURITY;
  GRANT SELECT ON amounts TO authenticated;
  CREATE POLICY every ON amounts TO authenticated USING (true);
  ALTER TABLE risky ENABLE ROW LEVEL SECURITY;
  GRANT SELECT ON risky TO authenticated;
  CREATE POLICY risk ON risky TO authenticated USING (100 / n > 0);
  ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
  GRANT SELECT ON notes TO authenticated;
  CREATE POLICY own ON notes TO authenticated USING (
    owner = auth.jwt() ->> 'team' AND CASE WHEN auth.jwt() ->> 'team' = 'slow' THEN pg_sleep(0.1) IS NOT NULL ELSE true END)`;

const orders = pgTable('orders', {
  id: integer('id').primaryKey(),
  owner: text('owner').notNull(),
  status: text('status').notNull(),
  amount: numeric('amount', { precision: 20, scale: 2 }).notNull().default('0'),
  note: text('note'),
  version: integer('version').notNull().default(1),
});
const notes = pgTable('notes', {
  id: integer('id').primaryKey(),
  owner: text('owner').notNull(),
  body: text('body').notNull(),
  version: integer('version').notNull().default(1),
});

const risky = pgTable('risky', {
  id: integer('id').primaryKey(),
  n: integer('n').notNull(),
  version: integer('version').notNull().default(1),
});

const amounts = pgTable('amounts', {
  id: numeric('id').primaryKey(),
  note: text('note'),
  version: integer('version').notNull().default(1),
});

export const COLLECTIONS = [
  collection('amounts', { table: amounts, visibility: rls() }),
  collection('risky', { table: risky, visibility: rls() }),
  collection('orders', { table: orders, visibility: everyRow(), filterable: ['status', 'id', 'note'] }),
  collection('mine', { table: orders, visibility: scope((claims, row) => row['owner'] === claims['sub']) }),
  collection('teams', {
    table: orders,
    visibility: scope((claims, row) => row['owner'] === claims['team'] || row['owner'] === claims['sub']),
  }),
  collection('notes', { table: notes, visibility: rls({ claims: ['team'] }) }),
];

export const CAPTURED = ['orders', 'notes', 'risky', 'amounts'];
