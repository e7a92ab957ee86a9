import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { afterEach, expect, it } from 'vitest';
import { addCapture } from '../../src/capture/add-capture.ts';
import { liveCollections } from '../../src/http/live-collections.ts';
import { collection } from '../../src/records/collection.ts';
import { everyRow } from '../../src/records/visibility.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { testApps } from './app.ts';

const app = testApps(afterEach);

const notes = pgTable('notes', {
  id: text('id').primaryKey(),
  title: text('title').notNull(),
  version: integer('version').notNull().default(1),
});

it('notes unasked who read collections, and how: lists, records, pages and streams', async () => {
  const database = await openPglite();
  const store = await createPostgresStore(database);
  await database.query('CREATE TABLE notes (id text PRIMARY KEY, title text NOT NULL, version int NOT NULL DEFAULT 1)');
  await addCapture(database, 'notes');
  await database.query("INSERT INTO notes VALUES ('n1', 'one')");
  const sluice = app({
    store,
    collections: liveCollections([collection('notes', { table: notes, visibility: everyRow() })]),
  });
  await sluice.realtime.started;
  const as = { sub: 'ada', subscribe: ['**'] };
  const stream = await sluice.stream('/v1/topics/notes/events', { as });
  await stream.told('ready');
  for (const path of [
    '/v1/collections/notes',
    '/v1/collections/notes/n1',
    '/v1/collections/notes/none',
    '/v1/topics/notes/events?format=json',
    '/v1/topics/other/events?format=json',
  ])
    await sluice.json(path, { as });
  const read = async () => {
    const { body } = await sluice.json('/v1/accesses?sub=ada');
    return body.accesses
      .map(({ kind, name, key, until }: any) => `${kind} ${name} ${key} ${until === null ? 'open' : 'ended'}`)
      .sort();
  };
  const ended = ['list notes null ended', 'page notes null ended', 'record notes n1 ended'];
  await expect.poll(read, { timeout: 5000 }).toEqual([...ended, 'stream notes null open']);
  await stream.close();
  await expect.poll(read, { timeout: 5000 }).toEqual([...ended, 'stream notes null ended']);
});
