/**
 * Cursors: a reader's position in one topic's log, `<epoch>-<seq>` (protocol section 1), and the compound cursor of a
 * stream that reads several topics (section 2).
 *
 * An epoch is ten characters of `0-9a-z`. The first five name the topic, the last five name this incarnation of its log.
 * So a compound cursor needs nothing but its parts joined by `.`: each topic finds its own position in it by the first
 * half, and a position of a log that is gone is recognised by the second. Clients treat all of it as opaque.
 */

/** A position in one topic's log: everything up to and including `seq` has been seen. `seq` 0 is before the first event. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

const NAME_LENGTH = 5;
const CURSOR = /^([0-9a-z]{10})-(0|[1-9][0-9]{0,15})$/;

/** The most topics one stream can hold, and so the most positions in a compound cursor. */
export const MAX_POSITIONS = 1000;

export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}-${cursor.seq}`;
}

/** Reads one `<epoch>-<seq>`; `undefined` when it is not of that form or `seq` is beyond 2^53 - 1. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  if (match === null) return undefined;
  const [, epoch = '', digits = ''] = match;
  const seq = Number(digits);
  return Number.isSafeInteger(seq) ? { epoch, seq } : undefined;
}

/** Joins the positions of a stream's topics. With one topic the result is that topic's own cursor. */
export function formatCompoundCursor(positions: Iterable<Cursor>): string {
  let text = '';
  for (const position of positions) text += text === '' ? formatCursor(position) : `.${formatCursor(position)}`;
  return text;
}

/** Reads a plain or compound cursor; `undefined` when any part is malformed or there are more than {@link MAX_POSITIONS}. */
export function parseCompoundCursor(text: string): readonly Cursor[] | undefined {
  const parts = text.split('.', MAX_POSITIONS + 1);
  if (parts.length > MAX_POSITIONS) return undefined;
  const cursors: Cursor[] = [];
  for (const part of parts) {
    const cursor = parseCursor(part);
    if (cursor === undefined) return undefined;
    cursors.push(cursor);
  }
  return cursors;
}

/**
 * Finds `topic`'s position in a compound cursor.
 *
 * @param positions what {@link parseCompoundCursor} read
 * @returns the positions that may be this topic's: none when the cursor never held it, and more than one where two names share
 *   the first half of an epoch. Which of them is its own, and whether its epoch still lasts, is for the log to say.
 */
export function positionsOf(topic: string, positions: readonly Cursor[]): readonly Cursor[] {
  const name = nameOf(topic);
  return positions.filter((position) => position.epoch.startsWith(name));
}

/**
 * As {@link positionsOf}, out of the text of a cursor: what is not of the form of a position is passed over.
 *
 * @param text plain or compound
 */
export function positionsIn(text: string, topic: string): readonly Cursor[] {
  const name = nameOf(topic);
  return text.split('.').flatMap((part) => (part.startsWith(name) && parseCursor(part)) || []);
}

/**
 * The epoch of a topic's log.
 *
 * @param log the identity of the whole store, random at its creation
 * @param incarnation how often this topic was dropped and begun again; 0 at first
 */
export function epochOf(log: string, incarnation: number, topic: string): string {
  return nameOf(topic) + hash(`${log}/${incarnation}/${topic}`, 1);
}

/**
 * The epoch of a topic as one group of its readers sees it. A cursor of another group is not of this epoch, so a reader whose rights
 * have changed is not taken to have seen what only others could.
 *
 * @param view a text that is equal for readers who see the same; `*` for those who see everything
 */
export function viewEpoch(epoch: string, view: string): string {
  return view === '*' ? epoch : epoch.slice(0, NAME_LENGTH) + hash(`${epoch}/${view}`, 2);
}

/** Names a topic by five characters. The 32 bits of FNV-1a over its code units are enough for that, and cost little where clients load it. */
function nameOf(topic: string): string {
  let mixed = 0x811c9dc5;
  for (let index = 0; index < topic.length; index += 1) mixed = Math.imul(mixed ^ topic.charCodeAt(index), 0x01000193);
  return fiveOf(mixed >>> 0);
}

/** Five characters from a 53-bit mix of the text (two rounds of multiply-xorshift). Not a secret, not security. */
function hash(text: string, seed: number): string {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return fiveOf(4294967296 * (2097151 & b) + (a >>> 0));
}

/** @param mixed a whole number from 0 on */
function fiveOf(mixed: number): string {
  return (mixed % 36 ** NAME_LENGTH).toString(36).padStart(NAME_LENGTH, '0');
}
