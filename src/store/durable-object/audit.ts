/** The audit in the SQLite of a Durable Object. */
import type { AccessKind, AuditStore, StoredAccess } from '../audit-store.ts';
import type { SqlStorage, SqlValue } from './sql.ts';

type AccessRow = { readonly [Name in keyof StoredAccess]: StoredAccess[Name] extends string ? string : SqlValue };

export function createSqliteAudit(storage: SqlStorage): AuditStore {
  const { sql } = storage;
  return {
    async begin(entries) {
      storage.transactionSync(() => {
        for (const { ref, node, kind, name, key, sub, role, address, request, since, until, count } of entries)
          sql.exec(
            `INSERT OR IGNORE INTO accesses (ref, node, kind, name, key, sub, role, address, request, since, until, count)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
            ...[ref, node, kind, name, key, sub, role, address, request, since, until, count],
          );
      });
    },
    async end(ends) {
      storage.transactionSync(() => {
        for (const { ref, until } of ends) sql.exec('UPDATE accesses SET until = ? WHERE ref = ?', until, ref);
      });
    },
    async read({ name, sub, since, until, after, limit }) {
      const conditions: string[] = [];
      const values: SqlValue[] = [];
      const where = (condition: string, ...given: SqlValue[]) => {
        conditions.push(condition);
        values.push(...given);
      };
      if (name !== undefined) where('name = ?', name);
      if (sub !== undefined) where('sub = ?', sub);
      if (since !== undefined) where('(until IS NULL OR until >= ?)', since);
      if (until !== undefined) where('since < ?', until);
      if (after !== undefined) where('(since, id) < (?, ?)', after.since, after.id);
      const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
      const rows = sql.exec<AccessRow>(
        `SELECT * FROM accesses ${filter} ORDER BY since DESC, id DESC LIMIT ?`,
        ...values,
        limit,
      );
      return rows.toArray().map((row) => ({ ...row, kind: row.kind as AccessKind }) as StoredAccess);
    },
    async prune(before) {
      const [{ old } = { old: 0 }] = sql
        .exec<{ old: number }>('SELECT COUNT(*) AS old FROM accesses WHERE COALESCE(until, since) < ?', before)
        .toArray();
      if (old > 0) sql.exec('DELETE FROM accesses WHERE COALESCE(until, since) < ?', before);
      return old;
    },
  };
}
