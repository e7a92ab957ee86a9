/**
 * A relay: has readers of a topic in the place of the object above it, which is the topic's own or another relay. It keeps no log. What is new
 * it is told; what it has missed, and what its readers want of before, it reads above.
 */
import { LocalBroker } from '../broker/local-broker.ts';
import { subscribeOne } from '../broker/subscribe-one.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { LogPage, LogRange, LogStore } from '../store/store.ts';
import { Audience, bareChanges, type RelayWord } from './audience.ts';
import { AudienceObject } from './audience-object.ts';
import { reach, reachAll } from './away.ts';
import { type Bindings, relayOf, settingsOf, spreadOf, topicOf } from './bindings.ts';
import { createHearingBus } from './hearing-bus.ts';
import { answerPings, type ObjectState } from './platform.ts';
import { decodeRead, PATH_HEADER, READ_HEADER } from './topic-frames.ts';

/** What a relay reads above it. */
export interface LogAbove {
  read(topic: string, after: number, limit: number): Promise<LogPage>;
  range(topic: string): Promise<LogRange>;
  seek(topic: string, time: number): Promise<Cursor>;
  /** Notes how many readers a relay has, so that it is told what is new. */
  relayHas(topic: string, relay: number, readers: number): Promise<void>;
}

/** What may be called. */
export interface RelayMethods extends LogAbove {
  /** Told what is new, in its order. @returns how many readers it has */
  told(words: readonly RelayWord[]): Promise<number>;
}

/** How often a relay looks whether it was told all, in ms. */
const LOOK_MS = 60_000;

type Place = { readonly topic: string; readonly path: string };

export class SluiceRelay extends AudienceObject implements RelayMethods {
  readonly #broker: LocalBroker;
  protected readonly audience: Audience;
  readonly #bus = createHearingBus();
  /** Whose relay it is; not known before its first reader. */
  #place: Place | undefined;

  constructor(ctx: ObjectState, env: Bindings) {
    super(ctx, env);
    const { sql } = ctx.storage;
    sql.exec('CREATE TABLE IF NOT EXISTS place (topic TEXT NOT NULL, path TEXT NOT NULL)');
    this.#place = sql.exec<Place>('SELECT topic, path FROM place').toArray()[0];
    const onFault = (error: unknown) => console.error(error);
    const { compacts } = settingsOf(env);
    this.#broker = new LocalBroker({
      log: this.#log(),
      bus: this.#bus,
      schedule: (work) => queueMicrotask(work),
      tailCheckMs: 0,
      compacted: compacts,
      observer: { onFlush: () => this.audience.settleSoon(), onFault },
    });
    this.audience = new Audience({
      ctx,
      subscribe: ({ request }) => subscribeOne(this.#broker, request),
      spread: spreadOf(env),
      relay: (topic, index) => relayOf(env, topic, `${this.#place?.path}/${index}`),
      onFault,
    });
    answerPings(ctx);
    void ctx.blockConcurrencyWhile(() => this.audience.wake());
  }

  async fetch(request: Request): Promise<Response> {
    const header = request.headers.get(READ_HEADER);
    const path = request.headers.get(PATH_HEADER);
    if (header === null || path === null || request.headers.get('Upgrade') !== 'websocket')
      return new Response(null, { status: 400 });
    const read = decodeRead(header);
    if (this.#place === undefined) {
      this.#place = { topic: read.topic, path };
      this.ctx.storage.sql.exec('INSERT INTO place (topic, path) VALUES (?, ?)', read.topic, path);
    }
    return this.audience.opening(async () => {
      // What is new from here on is told; what was before is read.
      await this.#sayReaders(this.audience.size);
      if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + LOOK_MS);
      return this.audience.open(read);
    });
  }

  async told(words: readonly RelayWord[]): Promise<number> {
    // One that was named to a reader who never came has nobody to tell.
    if (this.#place === undefined) return 0;
    const { topic } = this.#place;
    for (const word of words) {
      this.audience.tellRelays(topic, word);
      if (word.kind === 'moved') this.#broker.moved(topic, { epoch: word.epoch, ...word.batch });
      else if (word.kind === 'head') await this.#broker.checkTails();
      else if (word.kind === 'presence') this.audience.tellPresence(word.after, word.changes);
      else this.#bus.hear({ kind: 'ephemeral', topic, time: word.time, bodies: word.bodies });
    }
    return this.audience.size;
  }

  read(topic: string, after: number, limit: number): Promise<LogPage> {
    return reach(this.#above().read(topic, after, limit));
  }

  range(topic: string): Promise<LogRange> {
    return reach(this.#above().range(topic));
  }

  seek(topic: string, time: number): Promise<Cursor> {
    return reach(this.#above().seek(topic, time));
  }

  async relayHas(_: string, relay: number, readers: number): Promise<void> {
    this.audience.noteRelay(relay, readers);
  }

  /** Looks whether it was told all, as long as it has readers. */
  async alarm(): Promise<void> {
    await this.#broker.checkTails();
    await this.#lookAtPresence();
    const readers = this.audience.size;
    await this.#sayReaders(readers);
    if (readers > 0) await this.ctx.storage.setAlarm(Date.now() + LOOK_MS);
  }

  /** Has those who watch look how far presence has come. */
  async #lookAtPresence(): Promise<void> {
    if (this.audience.watchers.length === 0) return;
    const { topic } = this.#placed();
    const { revisions } = await reach(topicOf(this.env, topic).presenceHead(topic));
    this.audience.tellPresence(0, bareChanges(revisions[0] ?? 0));
  }

  async #sayReaders(readers: number): Promise<void> {
    const { topic, path } = this.#placed();
    await reach(this.#above().relayHas(topic, Number(path.split('/').at(-1)), readers));
  }

  #placed(): Place {
    if (this.#place === undefined) throw new Error('a relay that has no reader was asked');
    return this.#place;
  }

  #above(): LogAbove {
    const { topic, path } = this.#placed();
    const above = path.split('/').slice(0, -1).join('/');
    return above === '' ? topicOf(this.env, topic) : relayOf(this.env, topic, above);
  }

  /** The log above, as the broker reads it. */
  #log(): LogStore {
    const refuse = async (): Promise<never> => {
      throw new Error('a relay keeps no log');
    };
    return {
      read: (topic, after, limit) => this.read(topic, after, limit),
      ranges: (topics) => reachAll(topics.map((topic) => this.range(topic))),
      seek: (topic, time) => this.seek(topic, time),
      append: refuse,
      topics: refuse,
      topic: refuse,
      prune: refuse,
      compact: refuse,
      drop: refuse,
    };
  }
}
