/** Brokers over one log, joined by a hub, in time that the test moves on by hand. */
import { vi } from 'vitest';
import type { Origin, Start, SubscribeRequest, Subscription } from '../../src/broker/broker.ts';
import { type BrokerObserver, LocalBroker } from '../../src/broker/local-broker.ts';
import type { EventInput } from '../../src/protocol/event.ts';
import { type Appended, StoreUnavailable } from '../../src/store/store.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { seededRandom } from '../support/random.ts';
import { Recorder } from './recorder.ts';
import { type Awkwardness, PLAIN, TestLog } from './test-log.ts';

/** How often the brokers compare with the log, in ms. */
export const TAIL_CHECK_MS = 50;

export interface Reader {
  readonly subscription: Subscription;
  readonly recorder: Recorder;
  close(): void;
  /** Takes everything again. */
  wake(): void;
}

export interface SystemOptions {
  readonly awkwardness?: Awkwardness;
  readonly seed?: number;
  readonly tailCheckMs?: number;
  readonly observer?: BrokerObserver;
}

export class System {
  readonly log: TestLog;
  readonly hub = createLocalHub();
  readonly faults: unknown[] = [];
  readonly brokers: readonly [LocalBroker, LocalBroker];
  #writes = 0;

  /** Needs fake timers. */
  constructor({ awkwardness = PLAIN, seed = 1, tailCheckMs = TAIL_CHECK_MS, observer }: SystemOptions = {}) {
    this.log = new TestLog(seededRandom(seed), awkwardness);
    const broker = (node: string) =>
      new LocalBroker({
        log: this.log,
        bus: this.hub.bus(node),
        schedule: setImmediate,
        tailCheckMs,
        observer: { ...observer, onFault: (error) => this.faults.push(error) },
      });
    this.brokers = [broker('a'), broker('b')];
  }

  /** Lets so many milliseconds pass. */
  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  /** Lets time pass until a promise is settled, at most a minute. */
  async done<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    for (let ms = 0; !settled && ms < 60_000; ms += 1) await this.pass(1);
    if (!settled) throw new Error('waited a minute of test time in vain');
    return promise;
  }

  /** Long enough for every retry, tail check and interval of the tests. */
  async settle(): Promise<void> {
    await this.pass(4000);
  }

  /** Publishes for certain: again, under one idempotency key, while the log is away. */
  async publish(topic: string, events: readonly EventInput[], node: 0 | 1 = 0, origin: Origin = {}): Promise<Appended> {
    this.#writes += 1;
    const idempotency = { scope: 'test', key: String(this.#writes), digest: '' };
    for (;;) {
      try {
        return await this.done(this.brokers[node].publish(topic, events, { idempotency, ...origin }));
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    }
  }

  /** Publishes numbers as data, one event each append. */
  async numbers(topic: string, from: number, to: number, node: 0 | 1 = 0): Promise<void> {
    for (let n = from; n <= to; n += 1) await this.publish(topic, [{ data: n }], node);
  }

  /** Subscribes for certain, and starts. */
  async read(
    topic: string,
    start: Start,
    { node = 0, ...more }: Partial<SubscribeRequest> & { readonly node?: 0 | 1 } = {},
    recorder = new Recorder(),
  ): Promise<Reader> {
    for (;;) {
      try {
        const [subscription] = await this.done(this.brokers[node].subscribe([{ topic, start, ...more }]));
        subscription!.start(recorder);
        return readerOf(subscription!, recorder);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const broker of this.brokers) await this.done(broker.close());
  }
}

export function readerOf(subscription: Subscription, recorder: Recorder): Reader {
  return {
    subscription,
    recorder,
    close() {
      recorder.closed();
      subscription.close();
    },
    wake() {
      recorder.budget = Number.POSITIVE_INFINITY;
      subscription.resume();
    },
  };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
