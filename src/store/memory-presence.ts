/** The presence in memory, until the process ends. A topic keeps at most `MAX_CHANGES` changes; the oldest go first. */
import { PRESENCE_TTL } from '../protocol/limits.ts';
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
} from './presence-store.ts';

const MAX_CHANGES = 10_000;

interface Lease extends StoredLease {
  readonly owner: string;
  readonly ttlMs: number;
  readonly stream: string | undefined;
}

interface Topic {
  revision: number;
  /** Changes up to here are forgotten. */
  floor: number;
  /** In the order of joining, because a Map keeps the order of insertion. */
  readonly leases: Map<string, Lease>;
  changes: (PresenceChange & { readonly time: number })[];
}

/** @param clock ms since 1970 */
export function createMemoryPresence(clock: () => number): PresenceStore {
  return new MemoryPresence(clock);
}

class MemoryPresence implements PresenceStore {
  readonly #clock: () => number;
  readonly #topics = new Map<string, Topic>();
  /** The leases of each stream: topic and member. */
  readonly #bound = new Map<string, Map<string, readonly [topic: string, member: string]>>();
  #revision = 0;
  /** No lease ends before this. Exact after a sweep; leases that were renewed since make it early. */
  #soonest = Number.POSITIVE_INFINITY;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async join({ topic: name, member, owner, state, ttlMs, stream, most }: Join): Promise<Joined> {
    const now = this.#clock();
    const topic = this.#topic(name);
    const { lease } = this.#liveLease(topic, name, member, now);
    if (lease !== undefined && lease.owner !== owner) return { kind: 'taken' };
    if (lease === undefined && topic.leases.size >= most) {
      // Leases that have ended make room.
      this.#sweepTopic(topic, name, now);
      if (topic.leases.size >= most) return { kind: 'full' };
    }
    const ttl = ttlMs ?? lease?.ttlMs ?? PRESENCE_TTL.default * 1000;
    const next: Lease = {
      member,
      owner,
      state: state ?? lease?.state ?? 'null',
      since: lease?.since ?? now,
      seen: now,
      expires: now + ttl,
      ttlMs: ttl,
      stream: stream ?? lease?.stream,
    };
    this.#put(topic, name, next, lease);
    const changed = lease === undefined || lease.state !== next.state;
    if (changed) this.#note(topic, lease === undefined ? 'join' : 'update', next, now);
    return { kind: 'joined', lease: given(next), revision: changed ? topic.revision : undefined };
  }

  async leave({ topic: name, member, owner }: Leave): Promise<Left> {
    const now = this.#clock();
    const topic = this.#topics.get(name);
    if (topic === undefined) return { kind: 'absent' };
    const { lease, ended } = this.#liveLease(topic, name, member, now);
    if (lease === undefined) return { kind: 'absent', revision: ended ? topic.revision : undefined };
    if (owner !== undefined && lease.owner !== owner) return { kind: 'taken' };
    this.#end(topic, name, lease, now);
    return { kind: 'left', revision: topic.revision };
  }

  async list(name: string): Promise<PresenceList> {
    const topic = this.#topics.get(name);
    const leases = Array.from(topic?.leases.values() ?? [], given);
    return { revision: topic?.revision ?? 0, now: this.#clock(), due: this.#due(), leases };
  }

  async changes(name: string, after: number, limit: number): Promise<PresenceChanges> {
    const { revision, floor, changes } = this.#topics.get(name) ?? { revision: 0, floor: 0, changes: [] };
    if (after < floor || after > revision) return { revision, forgotten: true, changes: [], due: this.#due() };
    const from = changes.findLastIndex((change) => change.revision <= after) + 1;
    return { revision, forgotten: false, changes: changes.slice(from, from + limit), due: this.#due() };
  }

  async heads(names: readonly string[]): Promise<PresenceHeads> {
    return { revisions: names.map((name) => this.#topics.get(name)?.revision ?? 0), due: this.#due() };
  }

  async keepAlive(streams: readonly string[]): Promise<readonly BoundLease[]> {
    const now = this.#clock();
    return this.#leasesOf(streams).map(({ topic, name, lease }) => {
      const { member, ttlMs } = lease;
      topic.leases.set(member, { ...lease, seen: now, expires: now + ttlMs });
      return { stream: lease.stream ?? '', topic: name, member, ttlMs };
    });
  }

  async release(streams: readonly EndedStream[]): Promise<void> {
    const now = this.#clock();
    for (const { stream, agoMs, graceMs } of streams)
      for (const { topic, name, lease } of this.#leasesOf([stream])) {
        const expires = lease.seen > now - agoMs ? lease.expires : Math.min(lease.expires, now + graceMs);
        this.#put(topic, name, { ...lease, stream: undefined, expires }, lease);
      }
  }

  async sweep(): Promise<Swept> {
    const now = this.#clock();
    const heads: (readonly [string, number])[] = [];
    if (this.#soonest <= now) {
      this.#soonest = Number.POSITIVE_INFINITY;
      for (const [name, topic] of this.#topics) {
        if (this.#sweepTopic(topic, name, now)) heads.push([name, topic.revision]);
        for (const { expires } of topic.leases.values()) this.#soonest = Math.min(this.#soonest, expires);
      }
    }
    return { heads, due: this.#due() };
  }

  async prune(): Promise<void> {
    const before = this.#clock() - CHANGES_MS;
    for (const [name, topic] of this.#topics) {
      const old = topic.changes.findLastIndex(({ time }) => time < before) + 1;
      forget(topic, old);
      if (topic.leases.size === 0 && topic.changes.length === 0) this.#topics.delete(name);
    }
  }

  #due(): number | undefined {
    return this.#soonest === Number.POSITIVE_INFINITY ? undefined : this.#soonest - this.#clock();
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      // What is begun anew goes on above what it was: who knew it before sees that it is another.
      this.#revision += 1;
      topic = { revision: this.#revision, floor: this.#revision, leases: new Map(), changes: [] };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  /** The lease of a member, unless it has ended: then its end is noted, and there is none. */
  #liveLease(topic: Topic, name: string, member: string, now: number) {
    const lease = topic.leases.get(member);
    if (lease === undefined || lease.expires > now) return { lease, ended: false };
    this.#end(topic, name, lease, now);
    return { lease: undefined, ended: true };
  }

  #sweepTopic(topic: Topic, name: string, now: number): boolean {
    const ended = [...topic.leases.values()].filter(({ expires }) => expires <= now);
    for (const lease of ended.sort((a, b) => a.expires - b.expires)) this.#end(topic, name, lease, now);
    return ended.length > 0;
  }

  #end(topic: Topic, name: string, lease: Lease, now: number): void {
    topic.leases.delete(lease.member);
    this.#unbind(name, lease);
    this.#note(topic, 'leave', lease, now);
  }

  #put(topic: Topic, name: string, lease: Lease, before: Lease | undefined): void {
    if (before !== undefined && before.stream !== lease.stream) this.#unbind(name, before);
    topic.leases.set(lease.member, lease);
    this.#soonest = Math.min(this.#soonest, lease.expires);
    if (lease.stream === undefined) return;
    const bound = this.#bound.get(lease.stream) ?? new Map();
    this.#bound.set(lease.stream, bound.set(keyOf(name, lease.member), [name, lease.member]));
  }

  #unbind(name: string, { stream, member }: Lease): void {
    if (stream === undefined) return;
    const bound = this.#bound.get(stream);
    if (bound?.delete(keyOf(name, member)) && bound.size === 0) this.#bound.delete(stream);
  }

  #leasesOf(streams: readonly string[]) {
    return streams.flatMap((stream) =>
      [...(this.#bound.get(stream)?.values() ?? [])].flatMap(([name, member]) => {
        const topic = this.#topics.get(name);
        const lease = topic?.leases.get(member);
        return topic === undefined || lease === undefined ? [] : [{ topic, name, lease }];
      }),
    );
  }

  #note(topic: Topic, change: PresenceChange['change'], { member, state, since }: Lease, time: number): void {
    this.#revision += 1;
    topic.revision = this.#revision;
    const told = { revision: this.#revision, change, member, state: change === 'leave' ? null : state, since, time };
    topic.changes.push(told);
    // An eighth at a time, so that a full topic does not pay for every change.
    if (topic.changes.length > MAX_CHANGES) forget(topic, MAX_CHANGES / 8);
  }
}

/** Forgets so many of a topic's oldest changes. */
function forget(topic: Topic, count: number): void {
  const last = topic.changes[count - 1];
  if (last === undefined) return;
  topic.floor = last.revision;
  topic.changes = topic.changes.slice(count);
}

function given({ member, state, since, seen, expires }: Lease): StoredLease {
  return { member, state, since, seen, expires };
}

/** Neither has control characters. */
function keyOf(topic: string, member: string): string {
  return `${topic}\n${member}`;
}
