/** What the suites of the contract share: names, bodies, and the whole of a log as a reader sees it. */
import { randomUUID } from 'node:crypto';
import { type EventBody, encodeEventBody } from '../../../src/protocol/event.ts';
import type { Appended, Idempotency, LogStore } from '../../../src/store/store.ts';

/** A topic that no other test uses. */
export function freshTopic(name = 'topic'): string {
  return `${name}:${randomUUID()}`;
}

export function body(data: unknown, key?: string): EventBody {
  return encodeEventBody({ data, key });
}

export function bodies(count: number, from = 1): readonly EventBody[] {
  return Array.from({ length: count }, (_, index) => body(from + index));
}

export function freshKey(): Idempotency {
  return { scope: 'sub:"a"', key: randomUUID(), digest: 'digest' };
}

export interface SeenEvent {
  readonly seq: number;
  readonly time: number;
  readonly body: EventBody;
}

/** All events after `after`, read page by page as a reader does: what it has, what is gone and what is empty is skipped. */
export async function readAll(log: LogStore, topic: string, after = 0, limit = 1000): Promise<readonly SeenEvent[]> {
  const seen: SeenEvent[] = [];
  for (let position = after; ; ) {
    const page = await log.read(topic, position, limit);
    let end = position;
    for (const { first, time, bodies } of page.batches) {
      bodies.forEach((text, index) => {
        const seq = first + index;
        if (seq > position && seq >= page.oldest && text !== '') seen.push({ seq, time, body: text });
        end = Math.max(end, seq);
      });
    }
    if (page.batches.length === 0) return seen;
    if (end <= position) throw new Error(`a page after ${position} held nothing beyond it`);
    position = end;
  }
}

/** The answer of an append that must have succeeded. */
export function accepted(appended: Appended): Exclude<Appended, { readonly kind: 'mismatch' }> {
  if (appended.kind === 'mismatch') throw new Error('the append was refused as a mismatch');
  return appended;
}

export async function append(log: LogStore, topic: string, texts: readonly EventBody[], idempotency?: Idempotency) {
  return accepted(await log.append({ topic, bodies: texts, idempotency }));
}

/** Lets everything else that is ready have its turn: a store in memory answers within the same one. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Bytes of texts in UTF-8. */
export function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
