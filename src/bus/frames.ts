/**
 * Frames: a signal's text cut into pieces that fit one notification, and put together again.
 *
 * A frame is `s1 <from> <number> <part>/<of> <text>`. `number` counts the sender's signals, so that no two frames are
 * equal (Postgres delivers equal notifications of one transaction once). A sender's frames arrive in the order sent, so
 * at most one signal of each sender is unfinished: when another one begins, or a part is missing, the unfinished one
 * is lost and counted.
 */
import { NODE_NAME } from './signal.ts';

/**
 * The most characters of text in one frame: with the header below the 8,000 bytes that a notification may not reach.
 */
export const FRAME_LENGTH = 7_800;

/** The most frames of one signal (about 8 million characters). What is longer is not sent. */
export const MAX_PARTS = 1_024;

/** The most characters of unfinished signals held, of how many senders, and for how long, in milliseconds. */
export const MAX_PENDING_LENGTH = 32 * 1024 * 1024;
export const MAX_PENDING_SENDERS = 64;
export const MAX_PENDING_MS = 30_000;

const FRAME = /^s1 ([^ ]{1,64}) ([1-9][0-9]{0,15}) (0|[1-9][0-9]{0,3})\/([1-9][0-9]{0,3}) /;

/** Cuts a text (ASCII) into frames; `undefined` when it takes more than {@link MAX_PARTS}. */
export function toFrames(from: string, number: number, text: string): readonly string[] | undefined {
  const of = Math.max(1, Math.ceil(text.length / FRAME_LENGTH));
  if (of > MAX_PARTS) return undefined;
  return Array.from(
    { length: of },
    (_, part) => `s1 ${from} ${number} ${part}/${of} ${text.slice(part * FRAME_LENGTH, (part + 1) * FRAME_LENGTH)}`,
  );
}

interface Pending {
  readonly number: string;
  readonly of: number;
  readonly since: number;
  readonly parts: string[];
  length: number;
}

export interface Assembler {
  /** Takes a frame; what is no frame is counted as malformed. */
  push(payload: string): void;
  /** Forgets what is unfinished: the medium was cut, and the rest will not come. */
  reset(): void;
  readonly malformed: number;
  readonly incomplete: number;
}

/**
 * @param node whose own frames are passed over
 * @param now milliseconds of a clock that does not jump
 * @param onText called with each whole text; answers whether it could be read (what could not counts as malformed)
 */
export function createAssembler(
  node: string,
  now: () => number,
  onText: (from: string, text: string) => boolean,
): Assembler {
  const pending = new Map<string, Pending>();
  let held = 0;
  let malformed = 0;
  let incomplete = 0;

  function forget(from: string): void {
    const lost = pending.get(from);
    if (lost === undefined) return;
    pending.delete(from);
    held -= lost.length;
  }

  function lose(from: string): void {
    forget(from);
    incomplete += 1;
  }

  function begin(from: string, number: string, of: number): Pending {
    for (const [sender, { since }] of pending) if (now() - since > MAX_PENDING_MS) lose(sender);
    // A Map keeps the order of insertion: the first is the one that has waited longest.
    const [longest] = pending.keys();
    if (longest !== undefined && pending.size >= MAX_PENDING_SENDERS) lose(longest);
    const begun = { number, of, since: now(), parts: [], length: 0 };
    pending.set(from, begun);
    return begun;
  }

  function finish(from: string, text: string): void {
    if (!onText(from, text)) malformed += 1;
  }

  return {
    push(payload) {
      const match = FRAME.exec(payload);
      const [header = '', from = '', number = '', partText = '', ofText = ''] = match ?? [];
      const part = Number(partText);
      const of = Number(ofText);
      if (match === null || !NODE_NAME.test(from) || of > MAX_PARTS || part >= of) {
        malformed += 1;
        return;
      }
      if (from === node) return;
      if (part === 0 && pending.has(from)) lose(from);
      const text = payload.slice(header.length);
      if (of === 1) return finish(from, text);
      const unfinished = part === 0 ? begin(from, number, of) : pending.get(from);
      // The beginning was never heard, or was counted as lost already.
      if (unfinished === undefined) return;
      if (unfinished.number !== number || unfinished.of !== of || unfinished.parts.length !== part) return lose(from);
      unfinished.parts.push(text);
      unfinished.length += text.length;
      held += text.length;
      if (unfinished.parts.length === of) {
        forget(from);
        finish(from, unfinished.parts.join(''));
      } else if (held > MAX_PENDING_LENGTH) lose(from);
    },
    reset() {
      for (const from of [...pending.keys()]) lose(from);
    },
    get malformed() {
      return malformed;
    },
    get incomplete() {
      return incomplete;
    },
  };
}
