/** A sink, a feed and a clock that tests move by hand. */
import type { EventStream, Feed } from '../../src/delivery/event-stream.ts';
import type { Sink } from '../../src/delivery/sink.ts';
import type { Gap } from '../../src/protocol/control.ts';
import { type Cursor, formatCursor } from '../../src/protocol/cursor.ts';
import { type EventInput, encodeEventBody } from '../../src/protocol/event.ts';
import { EventBatch, ephemeralEvents, logEvents } from '../../src/protocol/event-batch.ts';
import { createSseParser, type SseBlock } from '../../src/protocol/sse.ts';

export const TIME = Date.UTC(2030, 0, 1);

/** An epoch that is like no other topic's. */
export function epochOf(topic: string): string {
  return topic.padEnd(10, '0').slice(0, 10);
}

export class FakeSink implements Sink {
  readonly framing = 'none';
  readonly parts: Uint8Array[] = [];
  ready = true;
  ended = false;
  onReady: (() => void) | undefined;
  onClose: (() => void) | undefined;

  write(bytes: Uint8Array): boolean {
    if (!this.ended) this.parts.push(bytes);
    return this.ready;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.ready = false;
    this.onClose?.();
  }

  get text(): string {
    return new TextDecoder().decode(Buffer.concat(this.parts));
  }

  /** What was written, as the blocks that a client sees. `id` is what was sent with the block itself. */
  get blocks(): readonly SseBlock[] {
    return this.text
      .split('\n\n')
      .filter((block) => block !== '')
      .map((text) => {
        const found: SseBlock[] = [];
        createSseParser((block) => found.push(block)).push(`${text}\n\n`);
        return found[0]!;
      });
  }

  /** Names of control events and data of others, in short. */
  get told(): readonly string[] {
    return this.blocks.map(({ event, data }) => (event?.startsWith('$') ? event : String(JSON.parse(data).data)));
  }

  control(name: string): Record<string, unknown>[] {
    return this.blocks.filter(({ event }) => event === `$${name}`).map(({ data }) => JSON.parse(data));
  }
}

export class FakeFeed implements Feed {
  readonly topic: string;
  position: Cursor;
  live = false;
  started = false;
  closed = 0;
  resumed = 0;
  #stream: Pick<EventStream, 'deliver' | 'gap' | 'caughtUp'> | undefined;
  readonly #onStart: ((feed: FakeFeed) => void) | undefined;

  constructor(topic: string, seq = 0, onStart?: (feed: FakeFeed) => void) {
    this.topic = topic;
    this.position = { epoch: epochOf(topic), seq };
    this.#onStart = onStart;
  }

  get cursor(): string {
    return formatCursor(this.position);
  }

  start(stream: Pick<EventStream, 'deliver' | 'gap' | 'caughtUp'>): void {
    this.started = true;
    this.#stream = stream;
    this.#onStart?.(this);
  }

  resume(): void {
    this.resumed += 1;
  }

  close(): void {
    this.closed += 1;
  }

  /** Delivers events with these as data; numbers their seq on from the position. */
  deliver(...data: readonly unknown[]): EventBatch {
    return this.deliverInputs(...data.map((each) => ({ data: each })));
  }

  deliverInputs(...inputs: readonly EventInput[]): EventBatch {
    const batch = batchOf(this.topic, this.position.seq + 1, ...inputs);
    // As the port has it: nothing is told any more after the close.
    if (this.closed > 0) return batch;
    this.position = { ...this.position, seq: batch.last };
    this.#stream?.deliver(batch, this);
    return batch;
  }

  deliverEphemeral(...data: readonly unknown[]): void {
    const { epoch, seq } = this.position;
    const events = ephemeralEvents(
      this.topic,
      TIME,
      data.map((each) => encodeEventBody({ data: each })),
    );
    this.#stream?.deliver(new EventBatch(this.topic, epoch, seq, seq, events), this);
  }

  tellGap(seq: number): Gap {
    const requested = formatCursor(this.position);
    this.position = { ...this.position, seq };
    const gap: Gap = { topic: this.topic, requested, oldest: this.cursor, latest: this.cursor, reason: 'expired' };
    this.#stream?.gap(gap);
    return gap;
  }

  catchUp(): void {
    this.live = true;
    this.#stream?.caughtUp();
  }
}

export function batchOf(topic: string, first: number, ...inputs: readonly EventInput[]): EventBatch {
  const bodies = inputs.map((input) => encodeEventBody(input));
  const events = logEvents(topic, epochOf(topic), { first, time: TIME, bodies });
  return new EventBatch(topic, epochOf(topic), first - 1, first + inputs.length - 1, events);
}
