/**
 * The store in the SQLite of a Durable Object: on Cloudflare, each topic has an object of its own, and one more keeps what belongs to no topic.
 * Nothing here knows which of the two it is in.
 *
 * **Durability.** A write is synchronous, and whatever the object answers or sends waits until it is safe on several machines
 * ("output gates"). **Limits.** An object holds 10 GB, a row 2 MB; larger appends are several rows.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import type { AuditStore } from '../audit-store.ts';
import { CHANGES_MS, type PresenceStore } from '../presence-store.ts';
import type { Revocation, RevocationStore, Store } from '../store.ts';
import { createSqliteAudit } from './audit.ts';
import { SqliteLog } from './log.ts';
import { createSqlitePresence } from './presence.ts';
import { migrate } from './schema.ts';
import type { SqlStorage } from './sql.ts';

const SECRET_BYTES = 32;

export interface DurableObjectStoreOptions {
  /** ms since 1970 */
  readonly clock?: () => number;
}

/** A store whose object sees to it that what has had its time is let go of. */
export interface DurableObjectStore extends Store {
  readonly audit: AuditStore;
  readonly presence: PresenceStore;
  /**
   * When something has had its time that no retention decides: an idempotency key, or a change of presence. ms since 1970; `undefined` when
   * there is nothing.
   */
  due(): number | undefined;
}

/** @param storage `ctx.storage` of an object whose class is declared in `new_sqlite_classes` */
export function createDurableObjectStore(
  storage: SqlStorage,
  { clock = Date.now }: DurableObjectStoreOptions = {},
): DurableObjectStore {
  migrate(storage);
  const text = new TextDecoder();
  const id = text.decode(factOf(storage, 'log', () => new TextEncoder().encode(crypto.randomUUID())));
  return {
    log: new SqliteLog({ storage, id, clock }),
    revocations: createRevocations(storage),
    audit: createSqliteAudit(storage),
    presence: createSqlitePresence(storage, clock),
    async secret(name) {
      return factOf(storage, `secret/${name}`, () => crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
    },
    async check() {
      storage.sql.exec('SELECT 1').toArray();
    },
    async close() {},
    due() {
      const oldest = (table: 'idempotency' | 'presence_changes') =>
        storage.sql.exec<{ time: number | null }>(`SELECT MIN(time) AS time FROM ${table}`).toArray()[0]?.time ??
        Infinity;
      const due = Math.min(oldest('idempotency') + IDEMPOTENCY_MS, oldest('presence_changes') + CHANGES_MS);
      return due === Infinity ? undefined : due;
    },
  };
}

/** What the store knows by this name; made at first. */
function factOf(storage: SqlStorage, name: string, make: () => Uint8Array<ArrayBuffer>): Uint8Array {
  return storage.transactionSync(() => {
    const [known] = storage.sql.exec<{ value: ArrayBuffer }>('SELECT value FROM facts WHERE name = ?', name).toArray();
    if (known !== undefined) return new Uint8Array(known.value);
    const made = make();
    storage.sql.exec('INSERT INTO facts (name, value) VALUES (?, ?)', name, made.buffer);
    return made;
  });
}

/** Revocations in one answer. */
const PAGE = 1000;

function createRevocations({ sql }: SqlStorage): RevocationStore {
  return {
    async add({ kind, value, at }) {
      sql.exec('INSERT INTO revocations (kind, value, at) VALUES (?, ?, ?)', kind, value, at);
    },
    async since(after) {
      const rows = sql
        .exec<{ position: number; kind: string; value: string; at: number }>(
          'SELECT position, kind, value, at FROM revocations WHERE position > ? ORDER BY position LIMIT ?',
          after,
          PAGE + 1,
        )
        .toArray();
      const page = rows.slice(0, PAGE);
      return {
        revocations: page.map(({ kind, value, at }): Revocation => ({ kind: kind as Revocation['kind'], value, at })),
        position: page.at(-1)?.position ?? after,
        more: rows.length > PAGE,
      };
    },
  };
}
