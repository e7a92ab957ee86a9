/** The presence in the SQLite of a Durable Object. Each call is one step: nothing comes between what it reads and what it writes. */
import { PRESENCE_TTL } from '../../protocol/limits.ts';
import {
  type BoundLease,
  CHANGES_MS,
  type EndedStream,
  type Join,
  type Joined,
  type Leave,
  type Left,
  type PresenceChange,
  type PresenceChanges,
  type PresenceHeads,
  type PresenceList,
  type PresenceStore,
  type StoredLease,
  type Swept,
} from '../presence-store.ts';
import type { SqlStorage } from './sql.ts';

type TopicRow = { readonly name: string; readonly revision: number; readonly floor: number };

type LeaseRow = {
  readonly topic: string;
  readonly member: string;
  readonly owner: string;
  readonly state: string;
  readonly since: number;
  /** The revision of the join: the order of joining. */
  readonly joined: number;
  readonly seen: number;
  readonly expires: number;
  readonly ttl: number;
  readonly stream: string | null;
};

/** @param clock ms since 1970 */
export function createSqlitePresence(storage: SqlStorage, clock: () => number): PresenceStore {
  return new SqlitePresence(storage, clock);
}

class SqlitePresence implements PresenceStore {
  readonly #storage: SqlStorage;
  readonly #sql: SqlStorage['sql'];
  readonly #clock: () => number;

  constructor(storage: SqlStorage, clock: () => number) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#clock = clock;
  }

  async join(join: Join): Promise<Joined> {
    return this.#storage.transactionSync(() => this.#join(join));
  }

  async leave({ topic, member, owner }: Leave): Promise<Left> {
    return this.#storage.transactionSync((): Left => {
      const now = this.#clock();
      const lease = this.#lease(topic, member);
      if (lease === undefined) return { kind: 'absent' };
      if (lease.expires <= now) return { kind: 'absent', revision: this.#end(lease, now) };
      if (owner !== undefined && lease.owner !== owner) return { kind: 'taken' };
      return { kind: 'left', revision: this.#end(lease, now) };
    });
  }

  async list(topic: string): Promise<PresenceList> {
    const leases = this.#sql.exec<LeaseRow>('SELECT * FROM presence_leases WHERE topic = ? ORDER BY joined', topic);
    return {
      revision: this.#topic(topic)?.revision ?? 0,
      now: this.#clock(),
      due: this.#due(),
      leases: leases.toArray().map(given),
    };
  }

  async changes(topic: string, after: number, limit: number): Promise<PresenceChanges> {
    const { revision, floor } = this.#topic(topic) ?? { revision: 0, floor: 0 };
    const due = this.#due();
    if (after < floor || after > revision) return { revision, forgotten: true, changes: [], due };
    const rows = this.#sql.exec<{
      revision: number;
      change: string;
      member: string;
      state: string | null;
      since: number;
    }>(
      `SELECT revision, change, member, state, since FROM presence_changes WHERE topic = ? AND revision > ?
       ORDER BY revision LIMIT ?`,
      topic,
      after,
      limit,
    );
    const changes = rows
      .toArray()
      .map((row): PresenceChange => ({ ...row, change: row.change as PresenceChange['change'] }));
    return { revision, forgotten: false, changes, due };
  }

  async heads(topics: readonly string[]): Promise<PresenceHeads> {
    return { revisions: topics.map((topic) => this.#topic(topic)?.revision ?? 0), due: this.#due() };
  }

  async keepAlive(streams: readonly string[]): Promise<readonly BoundLease[]> {
    return this.#storage.transactionSync(() => {
      const now = this.#clock();
      return streams.flatMap((stream) =>
        this.#leasesOf(stream).map(({ topic, member, ttl }) => {
          this.#sql.exec(
            'UPDATE presence_leases SET seen = ?, expires = ? WHERE topic = ? AND member = ?',
            now,
            now + ttl,
            topic,
            member,
          );
          return { stream, topic, member, ttlMs: ttl };
        }),
      );
    });
  }

  async release(streams: readonly EndedStream[]): Promise<void> {
    this.#storage.transactionSync(() => {
      const now = this.#clock();
      for (const { stream, agoMs, graceMs } of streams)
        for (const { topic, member, seen, expires } of this.#leasesOf(stream))
          this.#sql.exec(
            'UPDATE presence_leases SET stream = NULL, expires = ? WHERE topic = ? AND member = ?',
            seen > now - agoMs ? expires : Math.min(expires, now + graceMs),
            topic,
            member,
          );
    });
  }

  async sweep(): Promise<Swept> {
    return this.#storage.transactionSync(() => {
      const heads = this.#sweep(this.#clock());
      return { heads: [...heads], due: this.#due() };
    });
  }

  async prune(): Promise<void> {
    const before = this.#clock() - CHANGES_MS;
    this.#storage.transactionSync(() => {
      this.#sql.exec(
        `UPDATE presence_topics SET floor = MAX(floor, COALESCE(
           (SELECT MAX(revision) FROM presence_changes c WHERE c.topic = presence_topics.name AND time < ?), 0))`,
        before,
      );
      this.#sql.exec('DELETE FROM presence_changes WHERE time < ?', before);
      this.#sql.exec(
        `DELETE FROM presence_topics WHERE name NOT IN (SELECT topic FROM presence_leases)
         AND name NOT IN (SELECT topic FROM presence_changes)`,
      );
    });
  }

  #join({ topic, member, owner, state, ttlMs, stream, most }: Join): Joined {
    const now = this.#clock();
    const found = this.#lease(topic, member);
    const lease = found !== undefined && found.expires > now ? found : undefined;
    if (lease !== undefined && lease.owner !== owner) return { kind: 'taken' };
    if (found !== undefined && lease === undefined) this.#end(found, now);
    if (lease === undefined && this.#count(topic) >= most) {
      // Leases that have ended make room.
      this.#sweep(now, topic);
      if (this.#count(topic) >= most) return { kind: 'full' };
    }
    const ttl = ttlMs ?? lease?.ttl ?? PRESENCE_TTL.default * 1000;
    const next = {
      topic,
      member,
      owner,
      state: state ?? lease?.state ?? 'null',
      since: lease?.since ?? now,
      seen: now,
      expires: now + ttl,
      ttl,
      stream: stream ?? lease?.stream ?? null,
    };
    const isChange = lease === undefined || lease.state !== next.state;
    const revision = isChange ? this.#note(lease === undefined ? 'join' : 'update', next, now) : undefined;
    const joined = lease?.joined ?? revision ?? 0;
    this.#sql.exec(
      `INSERT OR REPLACE INTO presence_leases (topic, member, owner, state, since, joined, seen, expires, ttl, stream)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[topic, member, owner, next.state, next.since, joined, next.seen, next.expires, ttl, next.stream],
    );
    return { kind: 'joined', lease: given({ ...next, joined }), revision };
  }

  /** Ends what has expired, in the order of its ends. @returns the newest revisions of topics in which something was */
  #sweep(now: number, topic?: string): ReadonlyMap<string, number> {
    const ended = this.#sql
      .exec<LeaseRow>('SELECT * FROM presence_leases WHERE expires <= ? ORDER BY expires, joined', now)
      .toArray()
      .filter((lease) => topic === undefined || lease.topic === topic);
    return new Map(ended.map((lease) => [lease.topic, this.#end(lease, now)]));
  }

  #end(lease: LeaseRow, now: number): number {
    const { topic, member } = lease;
    this.#sql.exec('DELETE FROM presence_leases WHERE topic = ? AND member = ?', topic, member);
    return this.#note('leave', lease, now);
  }

  /** @returns the revision of the change */
  #note(
    change: PresenceChange['change'],
    { topic, member, state, since }: Pick<LeaseRow, 'topic' | 'member' | 'state' | 'since'>,
    time: number,
  ): number {
    if (this.#topic(topic) === undefined) {
      // What is begun anew goes on above what it was: who knew it before sees that it is another.
      const floor = this.#nextRevision();
      this.#sql.exec('INSERT INTO presence_topics (name, revision, floor) VALUES (?, ?, ?)', topic, floor, floor);
    }
    const revision = this.#nextRevision();
    this.#sql.exec('UPDATE presence_topics SET revision = ? WHERE name = ?', revision, topic);
    this.#sql.exec(
      'INSERT INTO presence_changes (topic, revision, change, member, state, since, time) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[topic, revision, change, member, change === 'leave' ? null : state, since, time],
    );
    return revision;
  }

  /** Greater than all that were given in this store, those of topics that were forgotten among them. */
  #nextRevision(): number {
    const [row] = this.#sql
      .exec<{ value: number }>(
        `INSERT INTO facts (name, value) VALUES ('presence-revision', 2)
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
      )
      .toArray();
    if (row === undefined) throw new Error('there is no next revision');
    return row.value;
  }

  #topic(name: string): TopicRow | undefined {
    return this.#sql.exec<TopicRow>('SELECT * FROM presence_topics WHERE name = ?', name).toArray()[0];
  }

  #lease(topic: string, member: string): LeaseRow | undefined {
    return this.#sql
      .exec<LeaseRow>('SELECT * FROM presence_leases WHERE topic = ? AND member = ?', topic, member)
      .toArray()[0];
  }

  #leasesOf(stream: string): LeaseRow[] {
    return this.#sql.exec<LeaseRow>('SELECT * FROM presence_leases WHERE stream = ?', stream).toArray();
  }

  #count(topic: string): number {
    const [row] = this.#sql
      .exec<{ count: number }>('SELECT COUNT(*) AS count FROM presence_leases WHERE topic = ?', topic)
      .toArray();
    return row?.count ?? 0;
  }

  #due(): number | undefined {
    const [row] = this.#sql
      .exec<{ soonest: number | null }>('SELECT MIN(expires) AS soonest FROM presence_leases')
      .toArray();
    return row?.soonest == null ? undefined : row.soonest - this.#clock();
  }
}

function given({ member, state, since, seen, expires }: LeaseRow): StoredLease {
  return { member, state, since, seen, expires };
}
