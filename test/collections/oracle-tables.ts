/** The tables of the test against an oracle. */
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { collection } from '../../src/records/collection.ts';
import { everyRow, rls, scope } from '../../src/records/visibility.ts';

export const SCHEMA = `
  CREATE TABLE docs (id text PRIMARY KEY, team text NOT NULL, owner text NOT NULL, level int NOT NULL, title text NOT NULL, version int NOT NULL DEFAULT 1);
  CREATE TABLE memberships (member text, team text, version int NOT NULL DEFAULT 1, PRIMARY KEY (member, team));
  ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON docs TO authenticated;
  GRANT SELECT ON memberships TO authenticated;
  CREATE POLICY reading ON docs FOR ALL TO authenticated USING (
    owner = auth.jwt() ->> 'sub'
    OR (level <= (auth.jwt() ->> 'level')::int AND team IN (SELECT team FROM memberships WHERE member = auth.jwt() ->> 'sub')))`;

const docs = pgTable('docs', {
  id: text('id').primaryKey(),
  team: text('team').notNull(),
  owner: text('owner').notNull(),
  level: integer('level').notNull(),
  title: text('title').notNull(),
  version: integer('version').notNull().default(1),
});
const memberships = pgTable('memberships', { member: text('member').notNull(), team: text('team').notNull() });

export const COLLECTIONS = [
  collection('docs', {
    table: docs,
    visibility: rls({ claims: ['sub', 'level'], dependsOn: [{ table: memberships }] }),
  }),
  collection('docs:owned', { table: docs, visibility: scope((claims, row) => row['owner'] === claims['sub']) }),
  collection('docs:all', { table: docs, visibility: everyRow() }),
];

export const CAPTURED = ['docs', 'memberships'];
