/**
 * An event as it travels and as it is stored (protocol section 1).
 *
 * What the publisher says is serialised once, when it is accepted, into an {@link EventBody}: the JSON members after
 * `time`. What the log adds when it appends (`id`, `topic`, `time`) is written in front of it by {@link renderEvent}. A body
 * is therefore never parsed again on its way to a plain subscriber.
 */

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** An event, the same in every representation. */
export interface Event<Data = unknown> {
  /** The topic's cursor at this event. Absent on ephemeral events only. */
  readonly id?: string;
  readonly topic: string;
  /** RFC 3339, UTC, milliseconds; set by the log. */
  readonly time: string;
  readonly type: string;
  readonly data: Data;
  /** The thing that the event is about. */
  readonly key?: string;
  /** The `sub` of whoever caused it. */
  readonly actor?: string;
  /** The `Idempotency-Key` of the write that caused it. */
  readonly mutation?: string;
  /** The version of the event's schema. */
  readonly version?: number;
}

/** What a publisher may say of an event. */
export interface EventInput {
  readonly type?: string | undefined;
  readonly data: unknown;
  readonly key?: string | undefined;
  readonly version?: number | undefined;
  readonly ephemeral?: boolean | undefined;
}

/** The members of an event that its publisher decides, as JSON text without the opening brace: `"type":"message",…}`. */
export type EventBody = string;

/** The type of an event whose publisher names none. */
export const DEFAULT_TYPE = 'message';

/** Serialises what a publisher said. The text has no line break, so it can stand on one line of SSE and NDJSON. */
export function encodeEventBody(
  input: EventInput,
  origin: { readonly actor?: string | undefined; readonly mutation?: string | undefined } = {},
): EventBody {
  const { type = DEFAULT_TYPE, key, version } = input;
  return renderEventBody(type, JSON.stringify(input.data), { key, ...origin, version });
}

/** The members of an event besides its type and data. */
export interface EventBodyRest {
  readonly key?: string | undefined;
  readonly actor?: string | undefined;
  readonly mutation?: string | undefined;
  readonly version?: number | undefined;
}

/** As {@link encodeEventBody}, of data that is JSON text already. @param data on one line */
export function renderEventBody(
  type: string,
  data: string,
  { key, actor, mutation, version }: EventBodyRest,
): EventBody {
  let body = `"type":${JSON.stringify(type)},"data":${data}`;
  if (key !== undefined) body += `,"key":${JSON.stringify(key)}`;
  if (actor !== undefined) body += `,"actor":${JSON.stringify(actor)}`;
  if (mutation !== undefined) body += `,"mutation":${JSON.stringify(mutation)}`;
  if (version !== undefined) body += `,"version":${version}`;
  return `${body}}`;
}

/** Reads back what {@link encodeEventBody} wrote. */
export function decodeEventBody(body: EventBody): Omit<Event, 'id' | 'topic' | 'time'> {
  return JSON.parse(`{${body}`) as Omit<Event, 'id' | 'topic' | 'time'>;
}

/**
 * The whole event as JSON text on one line.
 *
 * @param id the event's cursor as text, or `undefined` for an ephemeral event
 * @param head what {@link renderHead} made for the topic and time, shared by all events of one append
 */
export function renderEvent(id: string | undefined, head: string, body: EventBody): string {
  return id === undefined ? `{${head}${body}` : `{"id":"${id}",${head}${body}`;
}

/** The members `topic` and `time` as JSON text. `time` is in milliseconds since 1970. */
export function renderHead(topic: string, time: number): string {
  return `"topic":${JSON.stringify(topic)},"time":"${new Date(time).toISOString()}",`;
}
