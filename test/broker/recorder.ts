/** A subscriber that keeps what it is told, and checks on the way what the port promises of every call. */
import { expect } from 'vitest';
import type { Subscriber, Subscription } from '../../src/broker/broker.ts';
import type { Gap } from '../../src/protocol/control.ts';
import type { Cursor } from '../../src/protocol/cursor.ts';
import type { EventBatch } from '../../src/protocol/event-batch.ts';

export type Entry =
  | {
      readonly kind: 'event';
      readonly epoch: string;
      readonly seq: number;
      readonly data: unknown;
      readonly at: number;
    }
  | { readonly kind: 'ephemeral'; readonly data: unknown }
  | { readonly kind: 'gap'; readonly gap: Gap; readonly position: Cursor }
  | { readonly kind: 'caughtUp'; readonly position: Cursor };

export class Recorder implements Subscriber {
  readonly entries: Entry[] = [];
  /** How many batches it still takes before it is not ready any more. */
  budget = Number.POSITIVE_INFINITY;
  #closed = false;

  get ready(): boolean {
    return this.budget > 0;
  }

  /** The `data` of the events told so far. */
  get data(): readonly unknown[] {
    return this.entries.flatMap((entry) => (entry.kind === 'event' ? [entry.data] : []));
  }

  get seqs(): readonly number[] {
    return this.entries.flatMap((entry) => (entry.kind === 'event' ? [entry.seq] : []));
  }

  get gaps(): readonly Gap[] {
    return this.entries.flatMap((entry) => (entry.kind === 'gap' ? [entry.gap] : []));
  }

  get caughtUps(): number {
    return this.entries.filter(({ kind }) => kind === 'caughtUp').length;
  }

  closed(): void {
    this.#closed = true;
  }

  deliver(batch: EventBatch, subscription: Subscription): void {
    expect(this.ready, 'delivered to one that is not ready').toBe(true);
    expect(this.#closed, 'delivered after the close').toBe(false);
    expect(batch.events.length).toBeGreaterThan(0);
    expect(subscription.topic).toBe(batch.topic);
    this.budget -= 1;
    for (const event of batch.events) {
      if (event.id === undefined) {
        this.entries.push({ kind: 'ephemeral', data: event.data });
        continue;
      }
      expect(event.id).toBe(`${batch.epoch}-${event.seq}`);
      const { epoch } = batch;
      this.entries.push({ kind: 'event', epoch, seq: event.seq, data: event.data, at: performance.now() });
    }
    const last = batch.events.at(-1)!;
    if (last.id !== undefined) expect(subscription.position.seq).toBeGreaterThanOrEqual(last.seq);
  }

  gap(gap: Gap, subscription: Subscription): void {
    expect(this.#closed, 'told of a gap after the close').toBe(false);
    this.entries.push({ kind: 'gap', gap, position: subscription.position });
  }

  caughtUp(subscription: Subscription): void {
    expect(this.#closed, 'caught up after the close').toBe(false);
    expect(subscription.live).toBe(true);
    this.entries.push({ kind: 'caughtUp', position: subscription.position });
  }
}
