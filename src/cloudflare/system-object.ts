/** The object of what belongs to no topic: which topics there are, what was revoked, secrets, and who read what. */
import { DurableObject } from 'cloudflare:workers';
import type { Access, AccessEnd, AccessQuery, StoredAccess } from '../store/audit-store.ts';
import { createDurableObjectStore, type DurableObjectStore } from '../store/durable-object/durable-object-store.ts';
import type { Revocation, RevocationStore, TopicQuery } from '../store/store.ts';
import type { ObjectState } from './platform.ts';

/** How long readings are noted, as on Node, and how often those that have had their time are forgotten, in ms. */
const AUDIT_MS = 90 * 86_400_000;
const TIDY_MS = 86_400_000;

/** What may be called. */
export interface SystemMethods {
  /** Notes that a topic has been appended to. */
  register(topic: string): Promise<void>;
  /** Names of topics that were ever appended to. */
  topics(query: TopicQuery): Promise<readonly string[]>;
  revoke(revocation: Revocation): Promise<void>;
  revokedSince(after: number): ReturnType<RevocationStore['since']>;
  secret(name: string): Promise<Uint8Array>;
  beginAccesses(entries: readonly Access[]): Promise<void>;
  endAccesses(ends: readonly AccessEnd[]): Promise<void>;
  accesses(query: AccessQuery): Promise<readonly StoredAccess[]>;
  check(): Promise<void>;
}

export class SluiceSystem extends DurableObject implements SystemMethods {
  readonly #store: DurableObjectStore;

  constructor(ctx: ObjectState, env: unknown) {
    super(ctx, env);
    this.#store = createDurableObjectStore(ctx.storage);
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS known_topics (name TEXT PRIMARY KEY) WITHOUT ROWID');
  }

  async register(topic: string): Promise<void> {
    this.ctx.storage.sql.exec('INSERT OR IGNORE INTO known_topics (name) VALUES (?)', topic);
  }

  async topics({ prefix = '', after = '', limit }: TopicQuery): Promise<readonly string[]> {
    const rows = this.ctx.storage.sql.exec<{ name: string }>(
      'SELECT name FROM known_topics WHERE name > ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?',
      after,
      prefix,
      prefix,
      limit,
    );
    return rows.toArray().map(({ name }) => name);
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#store.revocations.add(revocation);
  }

  revokedSince(after: number): ReturnType<RevocationStore['since']> {
    return this.#store.revocations.since(after);
  }

  secret(name: string): Promise<Uint8Array> {
    return this.#store.secret(name);
  }

  async beginAccesses(entries: readonly Access[]): Promise<void> {
    await this.#store.audit.begin(entries);
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + TIDY_MS);
  }

  /** Forgets readings that have had their time. */
  async alarm(): Promise<void> {
    await this.#store.audit.prune(Date.now() - AUDIT_MS);
    const [newest] = await this.#store.audit.read({ limit: 1 });
    if (newest !== undefined) await this.ctx.storage.setAlarm(Date.now() + TIDY_MS);
  }

  async endAccesses(ends: readonly AccessEnd[]): Promise<void> {
    await this.#store.audit.end(ends);
  }

  async accesses(query: AccessQuery): Promise<readonly StoredAccess[]> {
    return this.#store.audit.read(query);
  }

  check(): Promise<void> {
    return this.#store.check();
  }
}
