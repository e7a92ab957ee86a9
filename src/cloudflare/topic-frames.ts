/**
 * What a topic's object and a reader's Worker say to each other on their WebSocket: text, one frame a message. The first line is JSON; of
 * events, each has a line of its own after it, which is the event's own text and need not be parsed on the way.
 *
 * Both ends are of one deployment, except in the minutes of a new one. So a frame of a kind that is not known is passed over.
 */

import type { SubscribeRequest } from '../broker/broker.ts';
import type { Gap } from '../protocol/control.ts';
import { type Cursor, formatCursor, parseCursor } from '../protocol/cursor.ts';
import { EventBatch, LogEvent } from '../protocol/event-batch.ts';
import type { Caller } from '../records/visibility.ts';
import type { PresenceChange } from '../store/presence-store.ts';

/** What a Worker wants to be told of a topic: sent with the request that opens the socket. */
export interface ReadRequest {
  readonly topic: string;
  /** Its events, from a place on. */
  readonly events?: SubscribeRequest | undefined;
  /** Who is there. */
  readonly presence?: boolean | undefined;
  /** As whom a collection is read. */
  readonly caller?: Caller | undefined;
}

/** Why an object cannot let something be read. */
export type ReadRefusal =
  | { readonly kind: 'unavailable' | 'not-served' | 'view-too-large' }
  | { readonly kind: 'invalid-filter'; readonly field: string };

/** The header that carries a {@link ReadRefusal}, as JSON in ASCII. */
export const REFUSAL_HEADER = 'Sluice-Refusal';

export function encodeRefusal(refusal: ReadRefusal): string {
  return encodeURIComponent(JSON.stringify(refusal));
}

export function decodeRefusal(header: string | null): ReadRefusal {
  return header === null ? { kind: 'unavailable' } : JSON.parse(decodeURIComponent(header));
}

/** The header that carries a {@link ReadRequest}: JSON in UTF-8, as base64, since headers have no other characters. */
export const READ_HEADER = 'Sluice-Read';

export function encodeRead(read: ReadRequest): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(JSON.stringify(read))) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** @throws SyntaxError, DOMException when it is none */
export function decodeRead(header: string): ReadRequest {
  const bytes = Uint8Array.from(atob(header), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** The header by which an object says that one of its relays is to be asked, by its number; and the one that tells a relay its path. */
export const RELAY_HEADER = 'Sluice-Relay';
export const PATH_HEADER = 'Sluice-Path';

export type TopicFrame =
  /** The first: where the reader stands. */
  | { readonly kind: 'hello'; readonly position?: Cursor | undefined }
  | { readonly kind: 'events'; readonly batch: EventBatch }
  | { readonly kind: 'gap'; readonly gap: Gap; readonly position: Cursor }
  /** Replay is over. */
  | { readonly kind: 'live'; readonly position: Cursor }
  /** Nothing up to here was for this reader. */
  | { readonly kind: 'position'; readonly position: Cursor }
  /** From here on it is read as another caller, or otherwise; or cannot be, and is read as before. */
  | { readonly kind: 'exchanged'; readonly position?: Cursor | undefined }
  | { readonly kind: 'refused'; readonly refusal: ReadRefusal }
  /** What is read has outgrown a bound, or is not served any more: nothing more will come. */
  | { readonly kind: 'cut-off' }
  | { readonly kind: 'ended' }
  /** Who is there has changed: all that became of it after a revision, or only the newest revision, where that is too much. */
  | {
      readonly kind: 'presence';
      readonly after: number;
      readonly revision: number;
      readonly changes?: readonly PresenceChange[] | undefined;
    };

type EventsHead = {
  readonly kind: 'events';
  readonly topic: string;
  readonly epoch: string;
  readonly after: number;
  readonly last: number;
};

/** Frames of batches that go to many sockets are made once. */
const frames = new WeakMap<EventBatch, readonly string[]>();

/** Characters of one frame, about: the platform lets a message have 32 MiB, and a character has three bytes at most. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

/** The frames of a batch: one, unless it is very large. */
export function encodeEvents(batch: EventBatch): readonly string[] {
  let known = frames.get(batch);
  if (known === undefined) {
    known = partsOf(batch).map(encodePart);
    frames.set(batch, known);
  }
  return known;
}

/** Each part begins where the one before it ends. One in which the place does not move is as one of ephemeral events. */
function* partsIn({ topic, epoch, after, last, events }: EventBatch): Generator<EventBatch> {
  let begun = after;
  let some: LogEvent[] = [];
  let size = 0;
  for (const event of events) {
    if (size + event.size > MOST_CHARACTERS && some.length > 0) {
      const end = Math.max(begun, some.at(-1)?.seq ?? 0);
      yield new EventBatch(topic, epoch, begun, end, some);
      begun = end;
      some = [];
      size = 0;
    }
    some.push(event);
    size += event.size;
  }
  yield new EventBatch(topic, epoch, begun, last, some);
}

function partsOf(batch: EventBatch): readonly EventBatch[] {
  let size = 0;
  for (const event of batch.events) size += event.size;
  return size <= MOST_CHARACTERS ? [batch] : [...partsIn(batch)];
}

function encodePart({ topic, epoch, after, last, events }: EventBatch): string {
  const head: EventsHead = { kind: 'events', topic, epoch, after, last };
  let frame = JSON.stringify(head);
  for (const { seq, id, json } of events) {
    // Of a view's steps that are not to be resumed at, the ids are of no log.
    const place = id === undefined || id.startsWith(`${epoch}-`) ? seq : id;
    frame += `\n${place} ${json.slice(openingOf(id).length)}`;
  }
  return frame;
}

export function encodeFrame(frame: Exclude<TopicFrame, { readonly kind: 'events' }>): string {
  return JSON.stringify(frame);
}

/** @throws SyntaxError when it is no frame */
export function decodeFrame(text: string): TopicFrame {
  const end = text.indexOf('\n');
  if (end === -1) {
    const frame = JSON.parse(text);
    return frame.kind === 'events' ? { kind: 'events', batch: batchOf(frame, []) } : frame;
  }
  const head: EventsHead = JSON.parse(text.slice(0, end));
  return { kind: 'events', batch: batchOf(head, text.slice(end + 1).split('\n')) };
}

function batchOf({ topic, epoch, after, last }: EventsHead, lines: readonly string[]): EventBatch {
  const events = lines.map((line) => {
    const space = line.indexOf(' ');
    const place = line.slice(0, space);
    const cursor = place.includes('-') ? parseCursor(place) : { epoch, seq: Number(place) };
    return new LogEvent(place === '0' ? undefined : cursor, '', line.slice(space + 1));
  });
  return new EventBatch(topic, epoch, after, last, events);
}

/** How the text of an event begins: what its reader knows without being told. */
function openingOf(id: string | undefined): string {
  return id === undefined ? '{' : `{"id":"${id}",`;
}

/** What a Worker says: so many characters of frames were taken, and there is room for others. */
export function encodeTaken(characters: number): string {
  return String(characters);
}

/** @returns `undefined` when it is nothing that a Worker says */
export function decodeTaken(message: unknown): number | undefined {
  return typeof message === 'string' && /^\d{1,9}$/.test(message) ? Number(message) : undefined;
}

/** What a Worker says: it wants to read otherwise from now on. */
export function encodeExchange(read: ReadRequest): string {
  return JSON.stringify(read);
}

/** @returns `undefined` when it is nothing that a Worker says */
export function decodeExchange(message: unknown): ReadRequest | undefined {
  return typeof message === 'string' && message.startsWith('{') ? JSON.parse(message) : undefined;
}

/** Characters of frames that may be under way to a reader that has not said that it took them. */
export const WINDOW = 512 * 1024;

export function isSamePlace(one: Cursor | undefined, other: Cursor | undefined): boolean {
  return one !== undefined && other !== undefined && formatCursor(one) === formatCursor(other);
}
