/**
 * What waits to be sent by one node, in order.
 *
 * `appended`, `presence` and `revoked` are hints: adjacent heads of one kind merge into one entry that keeps the highest of each
 * topic, so a storm of appends costs no more than its topics, and one `revoked` that waits is enough. The rest is said once and
 * in time, or not at all.
 *
 * **Bounds.** {@link MAX_WAITING} entries and {@link MAX_WAITING_LENGTH} characters; beyond either, the oldest goes. A
 * lost head is found by the tail check, a lost call times out. What is no hint goes also when it has waited for
 * {@link MAX_WAIT_MS}: an ephemeral event that late is of no use. All that goes is counted.
 */
import type { BusSignal } from './bus.ts';
import { encodeSignal, MAX_APPENDED_LENGTH, toAscii } from './signal.ts';

export const MAX_WAITING = 10_000;
export const MAX_WAITING_LENGTH = 16 * 1024 * 1024;
export const MAX_WAIT_MS = 5_000;

/** Signals that tell how far topics have come. */
type HeadsKind = 'appended' | 'presence';

type Entry =
  | { readonly kind: 'heads'; readonly of: HeadsKind; readonly heads: Map<string, number> }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'text'; readonly text: string; readonly since: number };

/** One signal on its way: its text, and the hint that it was if it may be said again. */
export interface Outgoing {
  readonly text: string;
  readonly hint?: Extract<BusSignal, { kind: HeadsKind | 'revoked' }> | undefined;
}

export interface SendQueue {
  push(signal: BusSignal): void;
  /** Takes the oldest signals, until their text reaches about `length` characters; at least one if any waits. */
  take(length: number): readonly Outgoing[];
  /** Puts the hints among signals that could not be sent back in front; drops and counts the others. */
  putBack(signals: readonly Outgoing[]): void;
  readonly empty: boolean;
  /** How many signals (of `appended` and `presence`: heads) were dropped so far. */
  readonly dropped: number;
}

/** @param now milliseconds of a clock that does not jump */
export function createSendQueue(now: () => number): SendQueue {
  let entries: Entry[] = [];
  let length = 0;
  let dropped = 0;

  function addHeads(heads: Map<string, number>, added: readonly (readonly [string, number])[]): void {
    for (const [topic, seq] of added) {
      const known = heads.get(topic);
      if (known === undefined) length += headLength(topic);
      if (known === undefined || known < seq) heads.set(topic, seq);
    }
  }

  function addHint(hint: NonNullable<Outgoing['hint']>, end: 'first' | 'last'): void {
    if (hint.kind === 'revoked') {
      if (!entries.some((entry) => entry.kind === 'revoked')) insert({ kind: 'revoked' }, end);
      return;
    }
    const neighbour = end === 'last' ? entries.at(-1) : entries[0];
    if (neighbour?.kind === 'heads' && neighbour.of === hint.kind) addHeads(neighbour.heads, hint.heads);
    else {
      const heads = new Map<string, number>();
      insert({ kind: 'heads', of: hint.kind, heads }, end);
      addHeads(heads, hint.heads);
    }
  }

  function insert(entry: Entry, end: 'first' | 'last'): void {
    if (end === 'last') entries.push(entry);
    else entries.unshift(entry);
  }

  function shrink(): void {
    while (entries.length > MAX_WAITING || length > MAX_WAITING_LENGTH) {
      const [first] = entries;
      if (first?.kind === 'heads') {
        takeHeads(first, 1);
        dropped += 1;
        if (first.heads.size === 0) entries.shift();
      } else {
        if (first?.kind === 'text') length -= first.text.length;
        entries.shift();
        dropped += 1;
      }
    }
  }

  /** Moves heads out of an entry, in order, until their text would pass `most` characters; at least one. */
  function takeHeads({ of, heads }: Extract<Entry, { kind: 'heads' }>, most: number): Outgoing {
    const taken: (readonly [string, number])[] = [];
    let text = `{"kind":"${of}","heads":[`;
    for (const [topic, seq] of heads) {
      const item = `${taken.length === 0 ? '' : ','}[${toAscii(JSON.stringify(topic))},${seq}]`;
      if (taken.length > 0 && text.length + item.length + 2 > most) break;
      text += item;
      taken.push([topic, seq]);
      heads.delete(topic);
      length -= headLength(topic);
    }
    return { text: `${text}]}`, hint: { kind: of, heads: taken } };
  }

  return {
    push(signal) {
      if (signal.kind === 'appended' || signal.kind === 'presence' || signal.kind === 'revoked')
        addHint(signal, 'last');
      else {
        const text = encodeSignal(signal);
        if (text === undefined || text.length > MAX_WAITING_LENGTH) {
          dropped += 1;
          return;
        }
        entries.push({ kind: 'text', text, since: now() });
        length += text.length;
      }
      shrink();
    },
    take(most) {
      const taken: Outgoing[] = [];
      const oldest = now() - MAX_WAIT_MS;
      let size = 0;
      let index = 0;
      while (size < most) {
        const entry = entries[index];
        if (entry === undefined) break;
        if (entry.kind === 'heads' && entry.heads.size > 0) {
          const outgoing = takeHeads(entry, MAX_APPENDED_LENGTH);
          taken.push(outgoing);
          size += outgoing.text.length;
          if (entry.heads.size > 0) continue;
        } else if (entry.kind === 'revoked') {
          taken.push({ text: '{"kind":"revoked"}', hint: { kind: 'revoked' } });
        } else if (entry.kind === 'text') {
          length -= entry.text.length;
          if (entry.since < oldest) dropped += 1;
          else {
            taken.push({ text: entry.text });
            size += entry.text.length;
          }
        }
        index += 1;
      }
      entries = entries.slice(index);
      return taken;
    },
    putBack(signals) {
      for (const { hint } of signals.toReversed()) {
        if (hint === undefined) dropped += 1;
        else addHint(hint, 'first');
      }
      shrink();
    },
    get empty() {
      return entries.length === 0;
    },
    get dropped() {
      return dropped;
    },
  };
}

/** The most characters that a head can take: each unit of the topic escaped, and a seq of sixteen digits. */
function headLength(topic: string): number {
  return topic.length * 6 + 24;
}
