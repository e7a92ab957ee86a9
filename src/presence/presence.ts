/**
 * Who is at a topic, on this node (protocol section 5): joins and leaves into the store, watchers told of what the store says.
 *
 * Nodes wake each other with a signal that may be lost, so one whose streams watch topics also asks the store about once a second
 * how far these have come. A node where nobody watches, and that holds no lease, asks nothing.
 */
import type { Bus } from '../bus/bus.ts';
import type { BoundLease, Join, Joined, Leave, Left, PresenceStore, StoredLease } from '../store/presence-store.ts';
import { StoreUnavailable } from '../store/store.ts';
import { DRAIN_GRACE_MS, GRACE_MS, StreamLeases } from './stream-leases.ts';
import { Sweep } from './sweep.ts';
import { TopicWatcher } from './topic-watcher.ts';
import { WatchedTopic, type WatchedTopicContext } from './watched-topic.ts';

/** Topics asked about in one statement. */
const LOOK_TOPICS = 1000;
/** How long the last word to the store may take, in ms. */
const CLOSE_MS = 2000;

export interface PresenceOptions {
  readonly store: PresenceStore;
  readonly bus: Bus;
  /** Defers word to other nodes to the end of this turn of the event loop. */
  readonly schedule: (work: () => void) => void;
  /** How often the store is asked what other nodes did, in ms; 0 when there are none. */
  readonly lookMs: number;
  readonly onFault: (error: unknown) => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #store: PresenceStore;
  readonly #topics = new Map<string, WatchedTopic>();
  /** How to end the following of each of them, on a bus that wants it. */
  readonly #followed = new Map<string, (() => void) | undefined>();
  readonly #context: WatchedTopicContext;
  readonly #sweep: Sweep;
  readonly #streams: StreamLeases;
  readonly #stopListening: () => void;
  #announcing = new Map<string, number>();
  #look: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: PresenceOptions) {
    const { store, bus, onFault } = options;
    this.#options = options;
    this.#store = store;
    this.#sweep = new Sweep({ store, onFault, onSwept: (heads) => this.#announce(heads) });
    this.#context = {
      store,
      onFault,
      onDue: (due) => this.#sweep.plan(due),
      onAway: () => this.#sweep.lostSight(),
    };
    this.#streams = new StreamLeases({
      store,
      onFault,
      onUncovered: (lease) => this.#endUncovered(lease),
      onReleased: (due) => this.#sweep.plan({ due }),
      onAway: () => this.#sweep.lostSight(),
    });
    this.#stopListening = bus.listen(
      ({ signal }) => {
        if (signal.kind !== 'presence') return;
        for (const [topic, revision] of signal.heads) this.#topics.get(topic)?.learn(revision);
      },
      () => void this.lookNow(),
    );
  }

  /** Topics that streams of this node watch, and streams of it that keep leases alive. */
  get gauges(): { readonly topics: number; readonly streams: number } {
    return { topics: this.#topics.size, streams: this.#streams.size };
  }

  /** @throws StoreUnavailable */
  async join(join: Join): Promise<Joined> {
    const joined = await this.#store.join(join);
    if (joined.kind !== 'joined') return joined;
    const { revision, lease } = joined;
    if (revision !== undefined) this.#announce([[join.topic, revision]]);
    this.#sweep.plan({ due: lease.expires - lease.seen });
    return joined;
  }

  /** @throws StoreUnavailable */
  async leave(leave: Leave): Promise<Left> {
    const left = await this.#store.leave(leave);
    if (left.kind !== 'taken' && left.revision !== undefined) this.#announce([[leave.topic, left.revision]]);
    return left;
  }

  /** Who is there at this moment, in the order of joining. @throws StoreUnavailable */
  async list(topic: string): Promise<readonly StoredLease[]> {
    const { leases, now } = await this.#store.list(topic);
    return leases.filter(({ expires }) => expires > now);
  }

  /** Prepares to tell a stream who is at a topic. */
  watch(name: string): TopicWatcher {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new WatchedTopic(name, this.#context);
      this.#followed.set(name, this.#options.bus.follow?.(name));
      this.#topics.set(name, topic);
      this.#planLook();
    }
    const watched = topic;
    return new TopicWatcher(watched, () => {
      if (watched.watchers > 0 || this.#topics.get(name) !== watched) return;
      this.#topics.delete(name);
      this.#followed.get(name)?.();
      this.#followed.delete(name);
    });
  }

  /** A lease of a topic is bound to a stream of this node, or is about to be. */
  bind(stream: string, topic: string): void {
    this.#store.bound?.(stream, topic);
    this.#streams.bind(stream);
  }

  /** A stream of this node came under another token, which covers these topics. */
  renewed(stream: string, covers: (topic: string) => boolean): void {
    this.#streams.renewed(stream, covers);
  }

  /** A stream of this node has ended. */
  ended(stream: string, draining: boolean): void {
    this.#streams.ended(stream, draining ? DRAIN_GRACE_MS : GRACE_MS);
  }

  /** A lease was bound to a stream that is not open, of whichever node. */
  release(stream: string): void {
    this.#streams.release(stream, GRACE_MS);
  }

  /** Forgets what is old, and ends what nobody has swept. @throws StoreUnavailable */
  async prune(): Promise<void> {
    await this.#store.prune();
    this.#sweep.plan(await this.#store.heads([]));
  }

  /** Asks the store how far the watched topics have come. Resolves also when it is away. */
  async lookNow(): Promise<void> {
    const topics = [...this.#topics.values()];
    try {
      for (let start = 0; start < topics.length; start += LOOK_TOPICS) {
        const some = topics.slice(start, start + LOOK_TOPICS);
        const asked = some.map(({ revision }) => revision);
        const { revisions, due } = await this.#store.heads(some.map(({ name }) => name));
        this.#sweep.plan({ due });
        some.forEach((topic, index) => {
          topic.compare(revisions[index] ?? 0, asked[index]);
        });
      }
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#sweep.lostSight();
      else this.#options.onFault(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#look);
    this.#stopListening();
    let late: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([Promise.all([this.#streams.close(), this.#sweep.stop()]), patience]);
    clearTimeout(late);
  }

  async #endUncovered({ topic, member }: BoundLease): Promise<void> {
    await this.leave({ topic, member });
  }

  /** Tells watchers here at once, and the other nodes once a turn. */
  #announce(heads: readonly (readonly [topic: string, revision: number])[]): void {
    // Taken out first: called on the options, a runtime's own function (`queueMicrotask` on Workers) would refuse its `this`.
    const { schedule } = this.#options;
    for (const [topic, revision] of heads) {
      this.#topics.get(topic)?.learn(revision);
      if (this.#announcing.size === 0) schedule(() => this.#send());
      this.#announcing.set(topic, Math.max(revision, this.#announcing.get(topic) ?? 0));
    }
  }

  #send(): void {
    const heads = [...this.#announcing];
    this.#announcing = new Map();
    this.#options.bus.send({ kind: 'presence', heads });
  }

  /** Only while something is watched. */
  #planLook(): void {
    const { lookMs } = this.#options;
    if (lookMs === 0 || this.#closed || this.#look !== undefined) return;
    // Less often where there are very many topics, so that looking never is most of the work.
    const delay = lookMs * Math.max(1, this.#topics.size / (5 * LOOK_TOPICS));
    this.#look = setTimeout(() => {
      void this.lookNow().finally(() => {
        this.#look = undefined;
        if (this.#topics.size > 0) this.#planLook();
      });
    }, delay);
  }
}
