/**
 * A topic whose members somebody on this node is told of.
 *
 * It holds the members as of a revision, and follows the store from there: at the word of this node or another, and when the look that
 * comes about once a second finds that the topic has gone on. What it reads it tells to all its watchers at once. While the
 * store is away it waits; when it comes back too late, and changes are forgotten, the list is read and what differs is told.
 *
 * Bounds: it holds the members of one topic, of which there are at most so many (`Limits.membersPerTopic`), and nothing for a watcher.
 */
import { type Control, ControlBatch } from '../protocol/control.ts';
import type { Due, PresenceChange, PresenceStore } from '../store/presence-store.ts';
import { StoreUnavailable } from '../store/store.ts';
import { differenceOf, type Member, memberOf, syncParts, toldOf } from './member.ts';
import type { TopicWatcher } from './topic-watcher.ts';

/** Changes read, and told, in one step. */
const PAGE = 256;
/** Characters of a part of a sync: less than what makes a reader slow. */
const PART_LENGTH = 128 * 1024;
/** How long to wait before asking again when the store is away, in ms. */
const RETRY_MS = 250;

/** All members at one revision, as they are told. */
export interface Snapshot {
  readonly parts: readonly ControlBatch[];
}

export interface WatchedTopicContext {
  readonly store: PresenceStore;
  /** Told when the store has to be swept. */
  readonly onDue: (due: Due) => void;
  /** Told when the store could not be reached. */
  readonly onAway: () => void;
  /** Told of faults that no caller can be told of. */
  readonly onFault: (error: unknown) => void;
}

export class WatchedTopic {
  readonly name: string;
  readonly #context: WatchedTopicContext;
  readonly #watchers = new Set<TopicWatcher>();
  #members = new Map<string, Member>();
  /** Absent until the list was read, and again when it has to be read anew. */
  #revision: number | undefined;
  #known = false;
  /** The store has at least this. */
  #wanted = 0;
  #snapshot: Snapshot | undefined;
  #following: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, context: WatchedTopicContext) {
    this.name = name;
    this.#context = context;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** The revision up to which it has told everything; `undefined` while it has to read the list. */
  get revision(): number | undefined {
    return this.#revision;
  }

  /** All members as they are told, the same object until one changes; `undefined` while they are not known. */
  get snapshot(): Snapshot | undefined {
    if (!this.#known) return undefined;
    this.#snapshot ??= { parts: this.#parts() };
    return this.#snapshot;
  }

  add(watcher: TopicWatcher): void {
    this.#watchers.add(watcher);
    this.#follow();
  }

  delete(watcher: TopicWatcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size === 0) clearTimeout(this.#retry);
  }

  /** Learns that the store has at least this revision. */
  learn(revision: number): void {
    this.#wanted = Math.max(this.#wanted, revision);
    this.#follow();
  }

  /**
   * Compares with what the store said.
   * @param asked its revision when the store was asked
   */
  compare(revision: number, asked: number | undefined): void {
    // Fewer than there were: the topic was forgotten, or the store is another one.
    if (asked !== undefined && revision < asked && this.#revision === asked) {
      this.#revision = undefined;
      this.#wanted = revision;
    }
    this.learn(revision);
  }

  get #isBehind(): boolean {
    return this.#watchers.size > 0 && (this.#revision === undefined || this.#revision < this.#wanted);
  }

  #follow(): void {
    if (!this.#isBehind || this.#following !== undefined) return;
    clearTimeout(this.#retry);
    this.#following = this.#readOn();
  }

  async #readOn(): Promise<void> {
    try {
      while (this.#isBehind)
        await (this.#revision === undefined ? this.#readList() : this.#readChanges(this.#revision));
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#context.onAway();
      else this.#context.onFault(error);
      if (this.#watchers.size > 0) this.#retry = setTimeout(() => this.#follow(), RETRY_MS);
    }
    // In the same turn as the last look at what is wanted, so that no word is lost in between.
    this.#following = undefined;
  }

  async #readList(): Promise<void> {
    const wanted = this.#wanted;
    const list = await this.#context.store.list(this.name);
    this.#context.onDue(list);
    const before = this.#members;
    this.#members = new Map(list.leases.map((lease) => [lease.member, memberOf(lease)]));
    this.#revision = list.revision;
    // Word of more than there was when it was asked: of a past that the topic has no more.
    if (this.#wanted === wanted) this.#wanted = Math.min(wanted, list.revision);
    if (this.#known) this.#tell(differenceOf(this.name, before, this.#members));
    this.#known = true;
    for (const watcher of this.#watchers) watcher.resume();
  }

  async #readChanges(after: number): Promise<void> {
    const wanted = this.#wanted;
    const { revision, forgotten, changes, due } = await this.#context.store.changes(this.name, after, PAGE);
    this.#context.onDue({ due });
    if (forgotten) {
      this.#revision = undefined;
      return;
    }
    this.#revision = changes.at(-1)?.revision ?? Math.max(after, revision);
    // Word of what the store does not have: what was heard meanwhile is asked about once more.
    if (changes.length === 0 && revision < wanted && this.#wanted === wanted) this.#wanted = this.#revision;
    this.#tell(changes.flatMap((change) => this.#apply(change)));
  }

  /** Takes a change in. @returns how it is told */
  #apply({ change, member: name, state, since }: PresenceChange): readonly Control[] {
    const known = this.#members.get(name);
    if (change === 'leave') {
      this.#members.delete(name);
      return known === undefined ? [] : [toldOf(this.name, change, known)];
    }
    const member = memberOf({ member: name, state: state ?? 'null', since });
    this.#members.set(name, member);
    return [toldOf(this.name, change, member)];
  }

  #tell(controls: readonly Control[]): void {
    if (controls.length === 0) return;
    this.#snapshot = undefined;
    for (let start = 0; start < controls.length; start += PAGE) {
      const batch = new ControlBatch(controls.slice(start, start + PAGE));
      for (const watcher of this.#watchers) watcher.tell(batch);
    }
  }

  #parts(): readonly ControlBatch[] {
    return syncParts(this.name, this.#members.values(), PART_LENGTH).map((part) => new ControlBatch([part]));
  }
}
