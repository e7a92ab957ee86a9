/** A stream on a fake sink, in a time that the test moves on. */
import { afterEach, beforeEach, vi } from 'vitest';
import { EventStream, type EventStreamOptions } from '../../src/delivery/event-stream.ts';
import { TimerWheel } from '../../src/delivery/timer-wheel.ts';
import { FakeSink } from './fakes.ts';

export interface TestLine {
  readonly sink: FakeSink;
  /** Why streams ended. */
  readonly ends: readonly string[];
  /** Events and bytes of every delivery. */
  readonly deliveries: readonly (readonly [number, number])[];
  /** Makes a stream and lets it say that it is open on these topics. */
  open(options?: Partial<EventStreamOptions>, topics?: readonly string[]): EventStream;
}

/** A new line for every test. */
export function testLine(): TestLine {
  let sink: FakeSink;
  let wheel: TimerWheel;
  let ends: string[];
  let deliveries: [number, number][];
  beforeEach(() => {
    vi.useFakeTimers();
    sink = new FakeSink();
    ends = [];
    deliveries = [];
    wheel = new TimerWheel((error) => {
      throw error;
    });
  });
  afterEach(() => {
    wheel.stop();
    vi.useRealTimers();
  });
  return {
    get sink() {
      return sink;
    },
    get ends() {
      return ends;
    },
    get deliveries() {
      return deliveries;
    },
    open(options = {}, topics = []) {
      const stream = new EventStream({
        id: 's1',
        format: 'sse',
        sink,
        wheel,
        expires: undefined,
        retry: () => 1234,
        onDelivery: (...counts) => deliveries.push(counts),
        onEnd: (_, reason) => ends.push(reason),
        ...options,
      });
      stream.open(topics);
      return stream;
    },
  };
}
