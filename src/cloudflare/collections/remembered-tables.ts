/** What an isolate remembers of the database between requests: plain data, since nothing else may be shared between them. */
import { CollectionCaptures } from '../../http/collection-captures.ts';
import type { Collection } from '../../records/collection.ts';
import type { TableCatalog } from '../../records/table-catalog.ts';
import { readTableFacts, type TableFacts } from '../../records/table-facts.ts';
import type { Database } from '../../store/postgres/database.ts';
import type { RememberedIdentity } from '../../store/postgres/log-identity.ts';

export interface RememberedTables {
  readonly identity: RememberedIdentity;
  readonly facts: Map<string, TableFacts>;
  readonly captures: CollectionCaptures;
  /** When the captures were looked for, ms since 1970. */
  looked: number;
  /** The collections that are as they must be. */
  served: readonly string[];
}

export function rememberTables(collections: readonly Collection[]): RememberedTables {
  return {
    identity: { id: '', confirmed: 0 },
    facts: new Map(),
    captures: new CollectionCaptures(collections),
    looked: 0,
    served: [],
  };
}

/** The catalog of one request. */
export function catalogOf({ facts }: RememberedTables, database: Pick<Database, 'query'>): TableCatalog {
  return {
    async of({ name, sqlName }) {
      const known = facts.get(name) ?? (await readTableFacts(database, sqlName));
      if (known === undefined) throw new Error(`collection ${name}: there is no table ${sqlName}`);
      facts.set(name, known);
      return known;
    },
    forget: ({ name }) => void facts.delete(name),
  };
}
