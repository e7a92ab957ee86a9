/** Facts of tables, read once and kept. What a statement finds to be no longer true is read again. */
import type { Database } from '../store/postgres/database.ts';
import type { Collection } from './collection.ts';
import { readTableFacts, type TableFacts } from './table-facts.ts';

export interface TableCatalog {
  /** @throws Error when there is no such table (any more); StoreUnavailable */
  of(collection: Collection): Promise<TableFacts>;
  /** After a statement failed that should not have: the table may have been altered. */
  forget(collection: Collection): void;
}

export function createTableCatalog(database: Pick<Database, 'query'>): TableCatalog {
  const known = new Map<Collection, Promise<TableFacts>>();
  return {
    of(collection) {
      const kept = known.get(collection);
      if (kept !== undefined) return kept;
      const reading = read(database, collection);
      known.set(collection, reading);
      reading.catch(() => known.delete(collection));
      return reading;
    },
    forget: (collection) => void known.delete(collection),
  };
}

async function read(database: Pick<Database, 'query'>, { name, sqlName }: Collection): Promise<TableFacts> {
  const facts = await readTableFacts(database, sqlName);
  if (facts === undefined) throw new Error(`collection ${name}: there is no table ${sqlName}`);
  return facts;
}
