/**
 * Events of one topic that travel together, and each event's text, made at most once.
 *
 * A batch is shared by all subscribers that receive the same events, so whoever turns it into bytes keeps them in
 * `encoded`: fan-out to a thousand readers encodes once.
 */
import { type Cursor, formatCursor } from './cursor.ts';
import { decodeEventBody, type EventBody, renderEvent, renderHead } from './event.ts';

/** One event of a log, or an ephemeral one. */
export class LogEvent {
  /** Its place in the log; 0 for an ephemeral event. */
  readonly seq: number;
  /** The cursor at this event as text; `undefined` for an ephemeral event. */
  readonly id: string | undefined;
  readonly #head: string;
  readonly #body: EventBody;
  #json: string | undefined;
  #decoded: ReturnType<typeof decodeEventBody> | undefined;

  /** @param head what `renderHead` made for its topic and time */
  constructor(cursor: Cursor | undefined, head: string, body: EventBody) {
    this.seq = cursor?.seq ?? 0;
    this.id = cursor && formatCursor(cursor);
    this.#head = head;
    this.#body = body;
  }

  /** The event as JSON on one line. */
  get json(): string {
    this.#json ??= renderEvent(this.id, this.#head, this.#body);
    return this.#json;
  }

  /**
   * The same event with another body, for readers who may see only a part of it.
   * @param epoch of its id
   * @param seq its own unless given
   */
  withBody(body: EventBody, epoch: string, seq: number = this.seq): LogEvent {
    return new LogEvent({ epoch, seq }, this.#head, body);
  }

  /** The members that the publisher decided, as {@link EventBody}. */
  get body(): EventBody {
    return this.#body;
  }

  get type(): string {
    return this.#decode().type;
  }

  get key(): string | undefined {
    return this.#decode().key;
  }

  get data(): unknown {
    return this.#decode().data;
  }

  get actor(): string | undefined {
    return this.#decode().actor;
  }

  get mutation(): string | undefined {
    return this.#decode().mutation;
  }

  /** Its size in characters, near enough to bound what is kept. */
  get size(): number {
    return this.#body.length;
  }

  #decode(): ReturnType<typeof decodeEventBody> {
    this.#decoded ??= decodeEventBody(this.#body);
    return this.#decoded;
  }
}

/** A stretch of a topic's log as one group of subscribers receives it: `events` may be a selection of what lies in it. */
export class EventBatch {
  readonly topic: string;
  readonly epoch: string;
  /** The stretch is what lies after `after`, up to and including `last`. Both are equal for ephemeral events. */
  readonly after: number;
  readonly last: number;
  readonly events: readonly LogEvent[];
  /** Bytes of this batch by representation (its index), kept by whoever makes them. */
  readonly encoded: (Uint8Array | undefined)[] = [];

  constructor(topic: string, epoch: string, after: number, last: number, events: readonly LogEvent[]) {
    this.topic = topic;
    this.epoch = epoch;
    this.after = after;
    this.last = last;
    this.events = events;
  }
}

/** Makes the events of adjacent bodies, the first of which has seq `first`; empty bodies (compacted away) are left out. */
export function logEvents(
  topic: string,
  epoch: string,
  { first, time, bodies }: { readonly first: number; readonly time: number; readonly bodies: readonly EventBody[] },
): LogEvent[] {
  const head = renderHead(topic, time);
  const events: LogEvent[] = [];
  for (let index = 0; index < bodies.length; index += 1) {
    const body = bodies[index];
    if (body) events.push(new LogEvent({ epoch, seq: first + index }, head, body));
  }
  return events;
}

/** Makes ephemeral events. `time` is in ms since 1970. */
export function ephemeralEvents(topic: string, time: number, bodies: readonly EventBody[]): LogEvent[] {
  const head = renderHead(topic, time);
  return bodies.map((body) => new LogEvent(undefined, head, body));
}
