import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { expect, it } from 'vitest';
import { collection } from '../../src/records/collection.ts';
import { guardScope } from '../../src/records/guard-scope.ts';
import { recordFilter } from '../../src/records/sees-record.ts';
import { everyRow, scope } from '../../src/records/visibility.ts';

const table = pgTable('notes', {
  id: integer('id').primaryKey(),
  owner: text('owner'),
  version: integer('version').notNull().default(1),
});
const caller = { role: 'authenticated', sub: 'ann', claims: {} };

it('hides the rows for which a scope throws, and tells of it once a minute', () => {
  let now = 0;
  const faults: Error[] = [];
  const notes = guardScope(
    collection('notes', { table, visibility: scope((_, row) => (row['owner'] as string).startsWith('a')) }),
    (error) => faults.push(error as Error),
    () => now,
  );
  const sees = recordFilter(notes.visibility as never, caller);
  expect([sees('{"owner":"ann"}'), sees('{"owner":"bob"}'), sees('{"owner":null}')]).toEqual([true, false, false]);
  expect(sees('{}')).toBe(false);
  expect(faults.map(({ message, cause }) => [message, cause instanceof TypeError])).toEqual([
    ['the scope() of notes threw: its row is hidden', true],
  ]);
  now = 60_000;
  expect(sees('{}')).toBe(false);
  expect(faults).toHaveLength(2);
});

it('leaves other collections as they are', () => {
  const notes = collection('notes', { table, visibility: everyRow() });
  expect(guardScope(notes, () => undefined)).toBe(notes);
});
