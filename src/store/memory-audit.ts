/** The audit in memory: the newest so many entries, until the process ends. */
import type { AuditStore, StoredAccess } from './audit-store.ts';

export function createMemoryAudit(entries: number): AuditStore {
  /** In the order of their writing, because a Map keeps the order of insertion. */
  const kept = new Map<string, StoredAccess>();
  let newest = 0;
  return {
    async begin(accesses) {
      for (const access of accesses) {
        if (kept.has(access.ref)) continue;
        newest += 1;
        kept.set(access.ref, { ...access, id: newest });
        if (kept.size <= entries) continue;
        for (const oldest of kept.keys()) {
          kept.delete(oldest);
          break;
        }
      }
    },
    async end(ends) {
      for (const { ref, until } of ends) {
        const access = kept.get(ref);
        if (access !== undefined) kept.set(ref, { ...access, until });
      }
    },
    async read({ name, sub, since, until, after, limit }) {
      return [...kept.values()]
        .filter(
          (access) =>
            (name === undefined || access.name === name) &&
            (sub === undefined || access.sub === sub) &&
            (since === undefined || access.until === null || access.until >= since) &&
            (until === undefined || access.since < until) &&
            (after === undefined || newestFirst(after, access) < 0),
        )
        .sort(newestFirst)
        .slice(0, limit);
    },
    async prune(before) {
      let forgotten = 0;
      for (const { ref, since, until } of kept.values()) {
        if ((until ?? since) < before && kept.delete(ref)) forgotten += 1;
      }
      return forgotten;
    },
  };
}

type Place = Pick<StoredAccess, 'since' | 'id'>;

function newestFirst(one: Place, other: Place): number {
  return other.since - one.since || other.id - one.id;
}
