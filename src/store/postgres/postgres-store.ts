/** A store in Postgres: on a server, or embedded. */
import { epochOf } from '../../protocol/cursor.ts';
import { createGroupCommit } from '../group-commit.ts';
import type { Revocation, RevocationStore, Store } from '../store.ts';
import { createPostgresAudit } from './audit.ts';
import type { Database } from './database.ts';
import { commitAppends, PostgresLog } from './log.ts';
import { LogIdentity, type RememberedIdentity } from './log-identity.ts';
import { createPostgresPresence } from './presence.ts';

export interface PostgresStoreOptions {
  readonly clock?: () => number;
  /** Defers the start of a commit until the turn of the event loop has been heard out; on Node, `setImmediate`. */
  readonly schedule?: (start: () => void) => void;
  readonly onCommit?: (appends: number, milliseconds: number) => void;
}

/** A store, and the database that it lives in: collections keep their tables beside the log. */
export interface PostgresStore extends Store {
  readonly database: Database;
  /** The epoch of a topic's log, of its incarnation. */
  epochOf(topic: string, incarnation: number): string;
}

/** Makes a store of an open database, whose schema is up to date. Closing the store closes the database. */
export async function createPostgresStore(
  carrier: Database,
  options: PostgresStoreOptions = {},
): Promise<PostgresStore> {
  return storeOf(await LogIdentity.of(carrier), options);
}

/**
 * Makes a store of a database behind a pool that hides lost connections. Asks nothing before it is asked: epochs are known once a statement was
 * run.
 * @param remembered which log it is, as far as that is known
 */
export function createPooledStore(
  carrier: Database,
  remembered: RememberedIdentity,
  options: PostgresStoreOptions = {},
): PostgresStore {
  return storeOf(LogIdentity.remembered(carrier, remembered), options);
}

function storeOf(identity: LogIdentity, options: PostgresStoreOptions): PostgresStore {
  const { database } = identity;
  const groupCommit = createGroupCommit({
    commit: (appends) => commitAppends(database, identity, appends),
    lanes: database.lanes,
    schedule: options.schedule ?? queueMicrotask,
    clock: options.clock ?? Date.now,
    ...(options.onCommit && { onCommit: options.onCommit }),
  });
  return {
    database,
    epochOf: (topic, incarnation) => epochOf(identity.id, incarnation, topic),
    log: new PostgresLog(database, identity, groupCommit),
    revocations: createPostgresRevocations(database),
    audit: createPostgresAudit(database),
    presence: createPostgresPresence(database, options.schedule ?? queueMicrotask),
    async secret(name) {
      const text = await fact(database, `secret:${name}`, () => toHex(crypto.getRandomValues(new Uint8Array(32))));
      return fromHex(text);
    },
    async check() {
      // A write that writes nothing: it needs a database that accepts writes, and touches no row.
      await database.query('UPDATE sluice.meta SET value = value WHERE false');
    },
    close: () => database.close(),
  };
}

/** A fact that is made up once and then the same for everybody. */
async function fact(database: Database, name: string, make: () => string): Promise<string> {
  const read = () =>
    database.query<{ readonly value: string }>('SELECT value FROM sluice.meta WHERE name = $1', [name]);
  const [known] = await read();
  if (known !== undefined) return known.value;
  await database.query('INSERT INTO sluice.meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [name, make()]);
  const [made] = await read();
  if (made === undefined) throw new Error(`the fact ${name} did not stay`);
  return made.value;
}

// Positions must appear in the order of commits, or a reader could skip one: so additions go one at a time.
const ADD = `
  WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(7589230215))
  INSERT INTO sluice.revocations (kind, value, at) SELECT $1, $2, $3::bigint FROM alone`;

const SINCE =
  'SELECT position, kind, value, at FROM sluice.revocations WHERE position > $1::bigint ORDER BY position LIMIT 1000';

function createPostgresRevocations(database: Database): RevocationStore {
  return {
    async add({ kind, value, at }) {
      await database.query(ADD, [kind, value, at]);
    },
    async since(after) {
      const rows = await database.query<Revocation & { readonly position: number }>(SINCE, [after]);
      return {
        revocations: rows.map(({ kind, value, at }) => ({ kind, value, at })),
        position: rows.at(-1)?.position ?? after,
        more: rows.length === 1000,
      };
    },
  };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
