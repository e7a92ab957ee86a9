/** The tables of the tests of the past. */
import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import { collection } from '../../src/records/collection.ts';
import { everyRow, rls } from '../../src/records/visibility.ts';

const columns = {
  id: integer().primaryKey(),
  state: text().notNull(),
  total: numeric().notNull(),
  version: integer().notNull().default(1),
};
export const SCHEMA = `
  create table parcels (id int primary key, state text not null, total numeric not null, version int not null default 1);
  create table letters (id int primary key, state text not null, total numeric not null, version int not null default 1);
  alter table letters enable row level security;
  grant select on letters to authenticated`;

export const COLLECTIONS = [
  collection('parcels', { table: pgTable('parcels', columns), visibility: everyRow() }),
  collection('letters', { table: pgTable('letters', columns), visibility: rls() }),
];

export const CAPTURED = ['parcels', 'letters'];
