/** The tables of the tests of the object of collections. */
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { collection } from '../../src/records/collection.ts';
import { everyRow, rls } from '../../src/records/visibility.ts';

const columns = {
  id: integer().primaryKey(),
  owner: text().notNull(),
  version: integer().notNull().default(1),
};

export const SCHEMA = `
  CREATE TABLE parcels (id int PRIMARY KEY, owner text NOT NULL, version int NOT NULL DEFAULT 1);
  CREATE TABLE letters (id int PRIMARY KEY, owner text NOT NULL, version int NOT NULL DEFAULT 1);
  ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON letters TO authenticated;
  CREATE POLICY own ON letters TO authenticated USING (owner = auth.jwt() ->> 'sub')`;

export const COLLECTIONS = [
  collection('parcels', { table: pgTable('parcels', columns), visibility: everyRow() }),
  collection('letters', { table: pgTable('letters', columns), visibility: rls() }),
];

export const CAPTURED = ['parcels', 'letters'];
