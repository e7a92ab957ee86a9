/** What holds of collections, over whatever database. */

import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import type { Database } from '../../../src/store/postgres/database.ts';
import { CollectionsApp } from './app.ts';
import { badInput } from './bad-input.ts';
import { constraints } from './constraints.ts';
import { merging } from './merging.ts';
import { odd } from './odd.ts';
import { reading } from './reading.ts';
import { createTables } from './tables.ts';
import { visibility } from './visibility.ts';
import { writing } from './writing.ts';

/** Gives the app of the running test. */
export type Running = () => CollectionsApp;

/**
 * @param open `send` says where the routes are, if not here
 * @param dropsEmptyHeaders see `writing`
 * @param share see `badInput`
 */
export function collectionsSuite(
  name: string,
  open: () => Promise<{ database: Database; send?: (request: Request) => Promise<Response>; close(): Promise<void> }>,
  { dropsEmptyHeaders = false, share = 1 } = {},
): void {
  describe(name, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let app: CollectionsApp;
    beforeAll(async () => {
      opened = await open();
      await createTables(opened.database);
    });
    afterAll(() => opened.close());
    beforeEach(async () => {
      await opened.database.query(
        'truncate orders, seats, docs, notes, strict_docs, odd, names, ledger, pages, members, slots, sluice.writes',
      );
      app = new CollectionsApp(opened.database, {}, opened.send);
    });
    reading(() => app);
    writing(() => app, dropsEmptyHeaders);
    constraints(() => app);
    merging(() => app);
    visibility(() => app);
    badInput(() => app, share);
    odd(() => app);
  });
}
