/** The store of a Worker: everything is in the objects. What never changes once it is known is remembered by the isolate. */
import type { AuditStore } from '../store/audit-store.ts';
import type { PresenceStore } from '../store/presence-store.ts';
import type { LogStore, Revocation, RevocationStore, Store, TopicQuery, TopicStatus } from '../store/store.ts';
import { reach, reachAll } from './away.ts';
import { type Bindings, systemOf, topicOf } from './bindings.ts';

/** What all requests of an isolate share: plain data, since nothing else may be shared between requests. */
export interface Remembered {
  readonly secrets: Map<string, Uint8Array>;
  /** All that was revoked, as far as it is known. */
  readonly revocations: Revocation[];
  position: number;
  /** When it was last looked for more, ms since 1970. */
  looked: number;
}

export function createRemembered(): Remembered {
  return { secrets: new Map(), revocations: [], position: 0, looked: 0 };
}

/** How old the knowledge of revocations may be, in ms. Requests that hold streams are told of them at once. */
const FRESH_MS = 1000;

export interface EdgeStoreOptions {
  readonly bindings: Bindings;
  readonly remembered: Remembered;
  readonly presence: PresenceStore;
  readonly clock: () => number;
  /** Told how many read a topic. */
  readonly onSubscribers: (topic: string, subscribers: number) => void;
}

export function createEdgeStore({ bindings, remembered, presence, clock, onSubscribers }: EdgeStoreOptions): Store {
  const system = () => systemOf(bindings);
  return {
    log: createEdgeLog(bindings, onSubscribers),
    revocations: createEdgeRevocations(bindings, remembered, clock),
    audit: createEdgeAudit(bindings),
    presence,
    async secret(name) {
      const secret = remembered.secrets.get(name) ?? (await reach(system().secret(name)));
      remembered.secrets.set(name, secret);
      return secret;
    },
    check: () => reach(system().check()),
    async close() {},
  };
}

/** Topics whose objects are asked at once. */
const TOGETHER = 50;

function createEdgeLog(bindings: Bindings, onSubscribers: EdgeStoreOptions['onSubscribers']): LogStore {
  async function status(name: string): Promise<TopicStatus | undefined> {
    const served = await reach(topicOf(bindings, name).status(name));
    if (served === undefined) return undefined;
    const { subscribers, ...known } = served;
    onSubscribers(name, subscribers);
    return known;
  }

  return {
    append: (append) => reach(topicOf(bindings, append.topic).append(append)),
    read: (topic, after, limit) => reach(topicOf(bindings, topic).read(topic, after, limit)),
    ranges: (topics) => reachAll(topics.map((topic) => topicOf(bindings, topic).range(topic))),
    seek: (topic, time) => reach(topicOf(bindings, topic).seek(topic, time)),
    async topics({ prefix, after, limit }: TopicQuery) {
      const found: TopicStatus[] = [];
      for (let last = after; found.length < limit; ) {
        const names = await reach(systemOf(bindings).topics({ prefix, after: last, limit: TOGETHER }));
        if (names.length === 0) break;
        last = names.at(-1);
        const statuses = await Promise.all(names.map(status));
        found.push(...statuses.filter((each) => each !== undefined));
      }
      return found.slice(0, limit);
    },
    topic: status,
    // The objects do both by their alarms.
    prune: async () => 0,
    compact: async () => 0,
    drop: (topic) => reach(topicOf(bindings, topic).drop(topic)),
  };
}

function createEdgeRevocations(bindings: Bindings, remembered: Remembered, clock: () => number): RevocationStore {
  /** What a request was told to look for is looked for, however fresh the knowledge is: its first look is only to begin. */
  let hasBegun = false;

  async function look(): Promise<void> {
    for (;;) {
      const page = await reach(systemOf(bindings).revokedSince(remembered.position));
      // Another request may have been faster.
      if (page.position > remembered.position) {
        remembered.revocations.push(...page.revocations);
        remembered.position = page.position;
      }
      if (!page.more) break;
    }
    remembered.looked = clock();
  }

  return {
    add: (revocation) => reach(systemOf(bindings).revoke(revocation)),
    async since(after) {
      if (hasBegun || clock() - remembered.looked >= FRESH_MS) await look();
      hasBegun = true;
      const revocations = remembered.revocations.slice(after);
      return { revocations, position: after + revocations.length, more: false };
    },
  };
}

function createEdgeAudit(bindings: Bindings): AuditStore {
  const system = () => systemOf(bindings);
  return {
    begin: (entries) => reach(system().beginAccesses(entries)),
    end: (ends) => reach(system().endAccesses(ends)),
    read: (query) => reach(system().accesses(query)),
    // The object does it by its alarm.
    prune: async () => 0,
  };
}
