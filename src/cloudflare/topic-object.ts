/**
 * The object of one topic: its log and who is at it, in the object's own SQLite, and the broker over that log. Readers are WebSockets that may be
 * hibernated, so an idle topic costs nothing but what it keeps: no timer, no open answer and no promise holds the object awake.
 *
 * What it answers and sends leaves it only when what it has written is safe (output gates): so an event is kept before anybody hears of it.
 */
import { LocalBroker } from '../broker/local-broker.ts';
import { subscribeOne } from '../broker/subscribe-one.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { EventBody } from '../protocol/event.ts';
import { IDEMPOTENCY_MS } from '../protocol/limits.ts';
import { createDurableObjectStore, type DurableObjectStore } from '../store/durable-object/durable-object-store.ts';
import type {
  BoundLease,
  EndedStream,
  Join,
  Joined,
  Leave,
  Left,
  PresenceChanges,
  PresenceHeads,
  PresenceList,
  PresenceStore,
} from '../store/presence-store.ts';
import { CHANGES_MS } from '../store/presence-store.ts';
import type { Append, Appended, LogPage, LogRange, Retention, TopicStatus } from '../store/store.ts';
import { Audience } from './audience.ts';
import { AudienceObject } from './audience-object.ts';
import { type Bindings, relayOf, settingsOf, spreadOf, systemOf } from './bindings.ts';
import { createHearingBus } from './hearing-bus.ts';
import { answerPings, type ObjectState } from './platform.ts';
import type { LogAbove } from './relay-object.ts';
import { decodeRead, READ_HEADER } from './topic-frames.ts';

/** A topic as operators see it. */
export interface ServedTopic extends TopicStatus {
  /** Its readers. */
  readonly subscribers: number;
}

/** What may be called. Each names the topic, which an object is not told by the runtime. */
export interface TopicMethods extends LogAbove {
  append(append: Append): Promise<Appended>;
  ephemeral(topic: string, time: number, bodies: readonly EventBody[]): Promise<void>;
  status(topic: string): Promise<ServedTopic | undefined>;
  drop(topic: string): Promise<void>;
  join(join: Join): Promise<Joined>;
  leave(leave: Leave): Promise<Left>;
  members(topic: string): Promise<PresenceList>;
  presenceChanges(topic: string, after: number, limit: number): Promise<PresenceChanges>;
  presenceHead(topic: string): Promise<PresenceHeads>;
  keepAlive(streams: readonly string[]): Promise<readonly BoundLease[]>;
  release(streams: readonly EndedStream[]): Promise<void>;
}

/** Changes of presence that are told in one frame. */
const CHANGES = 256;
/** How soon what can be let go of is let go of, at the earliest, in ms; and how soon a fault is tried again. */
const TIDY_MS = 20_000;
const RETRY_MS = 1000;

export class SluiceTopic extends AudienceObject implements TopicMethods {
  readonly #store: DurableObjectStore;
  readonly #presence: PresenceStore;
  readonly #broker: LocalBroker;
  protected readonly audience: Audience;
  readonly #retention: Retention;
  readonly #compacts: (topic: string) => boolean;
  readonly #bus = createHearingBus();
  /** The revision of presence up to which readers were told. */
  #toldPresence = 0;
  /** When the object is to be woken, ms since 1970. */
  #alarm = Number.POSITIVE_INFINITY;
  /** Up to where the log was compacted. */
  #compacted = 0;
  #isRegistered: boolean;

  constructor(ctx: ObjectState, env: Bindings) {
    super(ctx, env);
    const { retention, compacts } = settingsOf(env);
    this.#retention = retention;
    this.#compacts = compacts;
    this.#store = createDurableObjectStore(ctx.storage);
    this.#presence = this.#store.presence;
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS registered (topic TEXT PRIMARY KEY) WITHOUT ROWID');
    this.#isRegistered = ctx.storage.sql.exec('SELECT topic FROM registered').toArray().length > 0;
    this.#broker = new LocalBroker({
      log: this.#store.log,
      bus: this.#bus,
      schedule: (work) => queueMicrotask(work),
      // Nobody else appends.
      tailCheckMs: 0,
      compacted: this.#compacts,
      observer: {
        onFlush: () => this.audience.settleSoon(),
        onFault: (error) => console.error(error),
      },
    });
    this.audience = new Audience({
      ctx,
      subscribe: ({ request }) => subscribeOne(this.#broker, request),
      spread: spreadOf(env),
      relay: (topic, index) => relayOf(env, topic, String(index)),
      onFault: (error) => console.error(error),
    });
    answerPings(ctx);
    void ctx.blockConcurrencyWhile(() => this.#wake());
  }

  /** Opens a reader's socket. */
  async fetch(request: Request): Promise<Response> {
    const header = request.headers.get(READ_HEADER);
    if (header === null || request.headers.get('Upgrade') !== 'websocket') return new Response(null, { status: 400 });
    const read = decodeRead(header);
    return this.audience.open(read);
  }

  async append(append: Append): Promise<Appended> {
    const { topic, bodies } = append;
    const appended = await this.#store.log.append(append);
    if (appended.kind === 'appended') {
      const { epoch, first, time } = appended;
      this.#broker.moved(topic, { epoch, first, time, bodies });
      this.audience.tellRelays(topic, { kind: 'moved', epoch, batch: { first, time, bodies } });
      this.#tidyAfter(topic, time, append.idempotency !== undefined);
      if (!this.#isRegistered) await this.#register(topic);
    }
    return appended;
  }

  async ephemeral(topic: string, time: number, bodies: readonly EventBody[]): Promise<void> {
    this.#bus.hear({ kind: 'ephemeral', topic, time, bodies });
    this.audience.tellRelays(topic, { kind: 'ephemeral', time, bodies });
  }

  read(topic: string, after: number, limit: number): Promise<LogPage> {
    return this.#store.log.read(topic, after, limit);
  }

  async range(topic: string): Promise<LogRange> {
    const [range] = await this.#store.log.ranges([topic]);
    if (range === undefined) throw new Error('the log gave no range');
    return range;
  }

  seek(topic: string, time: number): Promise<Cursor> {
    return this.#store.log.seek(topic, time);
  }

  async status(topic: string): Promise<ServedTopic | undefined> {
    const status = await this.#store.log.topic(topic);
    return status && { ...status, subscribers: this.audience.size };
  }

  async drop(topic: string): Promise<void> {
    await this.#store.log.drop(topic);
    await this.#broker.checkTails();
    this.audience.tellRelays(topic, { kind: 'head' });
  }

  async relayHas(_: string, relay: number, readers: number): Promise<void> {
    this.audience.noteRelay(relay, readers);
  }

  async join(join: Join): Promise<Joined> {
    const joined = await this.#presence.join(join);
    if (joined.kind !== 'joined') return joined;
    if (joined.revision !== undefined) await this.#tellPresence(join.topic);
    this.#wakeAt(joined.lease.expires);
    return joined;
  }

  async leave(leave: Leave): Promise<Left> {
    const left = await this.#presence.leave(leave);
    if (left.kind !== 'taken' && left.revision !== undefined) await this.#tellPresence(leave.topic);
    return left;
  }

  members(topic: string): Promise<PresenceList> {
    return this.#presence.list(topic);
  }

  presenceChanges(topic: string, after: number, limit: number): Promise<PresenceChanges> {
    return this.#presence.changes(topic, after, limit);
  }

  presenceHead(topic: string): Promise<PresenceHeads> {
    return this.#presence.heads([topic]);
  }

  keepAlive(streams: readonly string[]): Promise<readonly BoundLease[]> {
    return this.#presence.keepAlive(streams);
  }

  async release(streams: readonly EndedStream[]): Promise<void> {
    await this.#presence.release(streams);
    await this.#wakeForPresence();
  }

  /** Lets go of what has had its time: leases, changes, events, keys. */
  async alarm(): Promise<void> {
    this.#alarm = Number.POSITIVE_INFINITY;
    const now = Date.now();
    const { heads } = await this.#presence.sweep();
    for (const [topic] of heads) await this.#tellPresence(topic);
    await this.#presence.prune();
    await this.#store.log.prune(() => this.#retention, now);
    for (const { topic, latest } of await this.#store.log.topics({ limit: 1 })) {
      if (this.#compacts(topic) && latest !== this.#compacted) {
        await this.#store.log.compact(topic, latest);
        this.#compacted = latest;
      }
      if (!this.#isRegistered) await this.#register(topic);
      const { ageMs } = this.#retention;
      const [oldest] = (await this.#store.log.read(topic, 0, 1)).batches;
      if (oldest !== undefined && ageMs !== undefined) this.#wakeAt(Math.max(now + TIDY_MS, oldest.time + ageMs));
    }
    const due = this.#store.due();
    if (due !== undefined) this.#wakeAt(Math.max(due + 1, now + TIDY_MS));
    await this.#wakeForPresence();
  }

  /** What was there before the object slept goes on from where it stood. */
  async #wake(): Promise<void> {
    const alarm = await this.ctx.storage.getAlarm();
    if (alarm !== null) this.#alarm = alarm;
    await this.audience.wake();
    const [watcher] = this.audience.watchers;
    if (watcher !== undefined) this.#toldPresence = (await this.#presence.heads([watcher.topic])).revisions[0] ?? 0;
  }

  /** Tells readers who watch all that has changed since they were told last. */
  async #tellPresence(topic: string): Promise<void> {
    const after = this.#toldPresence;
    const changes = await this.#presence.changes(topic, after, CHANGES);
    this.#toldPresence = changes.revision;
    this.audience.tellPresence(after, changes);
    this.audience.tellRelays(topic, { kind: 'presence', after, changes });
    this.#wakeAt(Date.now() + CHANGES_MS);
  }

  /** Sees to it that the object is woken by then. */
  #wakeAt(time: number): void {
    if (time >= this.#alarm) return;
    this.#alarm = time;
    this.ctx.storage.setAlarm(time).catch((error: unknown) => console.error(error));
  }

  async #wakeForPresence(): Promise<void> {
    const { due } = await this.#presence.heads([]);
    if (due !== undefined) this.#wakeAt(Date.now() + Math.max(due, 0));
  }

  /** After an append there may be something to be let go of, now or when its time has come. */
  #tidyAfter(topic: string, time: number, isKeyed: boolean): void {
    const { ageMs, events, bytes } = this.#retention;
    if (events !== undefined || bytes !== undefined || this.#compacts(topic)) this.#wakeAt(Date.now() + TIDY_MS);
    else if (ageMs !== undefined) this.#wakeAt(time + Math.max(TIDY_MS, ageMs));
    if (isKeyed) this.#wakeAt(time + IDEMPOTENCY_MS + TIDY_MS);
  }

  /** Has the topic listed among all. */
  async #register(topic: string): Promise<void> {
    try {
      await systemOf(this.env).register(topic);
      this.ctx.storage.sql.exec('INSERT OR IGNORE INTO registered (topic) VALUES (?)', topic);
      this.#isRegistered = true;
    } catch (error) {
      console.error(error);
      this.#wakeAt(Date.now() + RETRY_MS);
    }
  }
}
