/** Which captures the collections of a node rest on. They may be removed and added again while it runs, so it looks again and again. */
import type { RelayTarget } from '../capture/change.ts';
import { keepContinuous } from '../capture/continuity.ts';
import { dependenciesOf, wantedCaptures } from '../records/capture-targets.ts';
import type { Collection } from '../records/collection.ts';
import type { Database } from '../store/postgres/database.ts';

const FIND = `
  SELECT wanted.name AS table, x.id, x.since::text AS since FROM unnest($1::text[]) wanted (name)
  JOIN sluice.captures x ON x.relation = to_regclass(wanted.name) ORDER BY 1`;

export interface CapturesFound {
  /** Tables, as SQL writes them, that are not captured. */
  readonly missing: readonly string[];
  /** Collections that were served until now, and have lost a capture. */
  readonly lost: readonly string[];
}

export class CollectionCaptures {
  readonly #collections: readonly Collection[];
  #targets: ReadonlyMap<number, readonly RelayTarget[]> = new Map();
  /** The table's own capture comes first. */
  #byCollection: ReadonlyMap<string, readonly number[]> = new Map();
  /** What was found last, as text. */
  #seen = '';

  constructor(collections: readonly Collection[]) {
    this.#collections = collections;
  }

  /** Where changes go, by capture. */
  get targets(): ReadonlyMap<number, readonly RelayTarget[]> {
    return this.#targets;
  }

  /** The captures of a collection's table and of those that it depends on; `undefined` where one of them is missing. */
  of(name: string): readonly number[] | undefined {
    return this.#byCollection.get(name);
  }

  /** Looks which captures there are. @throws StoreUnavailable */
  async find(database: Database): Promise<CapturesFound> {
    const wanted = wantedCaptures(this.#collections);
    const tables = [...new Set(wanted.map(({ table }) => table))];
    type Row = { readonly table: string; readonly id: number; readonly since: string };
    const rows = await database.query<Row>(FIND, [tables]);
    const ids = new Map(rows.map(({ table, id }) => [table, id]));
    const seen = JSON.stringify(rows);
    const byCollection = new Map<string, readonly number[]>();
    for (const collection of this.#collections) {
      const all = [collection.sqlName, ...dependenciesOf(collection)].map((table) => ids.get(table));
      const found = all.filter((id) => id !== undefined);
      const [own] = found;
      if (own === undefined || found.length < all.length) continue;
      // Before its changes are moved: they belong into the log that begins here.
      if (seen !== this.#seen) await keepContinuous(database, collection.name, own, [...new Set(found)]);
      byCollection.set(collection.name, found);
    }
    const targets = new Map<number, RelayTarget[]>();
    for (const { table, target } of wanted) {
      const id = ids.get(table);
      if (id !== undefined && byCollection.has(target.topic)) targets.set(id, [...(targets.get(id) ?? []), target]);
    }
    const lost = [...this.#byCollection.keys()].filter((name) => !byCollection.has(name));
    this.#seen = seen;
    this.#byCollection = byCollection;
    this.#targets = targets;
    return { missing: tables.filter((table) => !ids.has(table)), lost };
  }
}
