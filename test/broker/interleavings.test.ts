/** Random interleavings of everything that can happen to two brokers over one log, in a time that the test moves on. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Start, SubscribeRequest } from '../../src/broker/broker.ts';
import type { Cursor } from '../../src/protocol/cursor.ts';
import { parseFilter } from '../../src/protocol/filter.ts';
import { checkRecord } from './check-record.ts';
import { Recorder } from './recorder.ts';
import { type Reader, range, readerOf, System } from './system.ts';
import type { Truth } from './test-log.ts';

const TOPICS = ['alpha', 'beta'] as const;
type Topic = (typeof TOPICS)[number];

const topic = fc.constantFrom(...TOPICS);
const node = fc.constantFrom(0 as const, 1 as const);
const which = fc.nat(11);

const start = fc.oneof(
  { weight: 3, arbitrary: fc.constant('earliest' as const) },
  { weight: 3, arbitrary: fc.constant('latest' as const) },
  fc.record({ last: fc.nat(20) }),
  fc.record({ since: fc.nat(2000) }),
  // `log`: of the topic's present log, of an earlier one, or of one that never was.
  { weight: 3, arbitrary: fc.record({ log: fc.constantFrom('now', 'before', 'never'), seq: fc.nat(40) }) },
);

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant('publish' as const), topic, node, count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('subscribe' as const),
      topic,
      node,
      start,
      selection: fc.constantFrom('all', 'all', 'all', 'type', 'filter'),
      conflate: fc.constantFrom(0, 0, 0, 0, 30, 200),
      budget: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 1, 3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('budget' as const), reader: which, budget: fc.constantFrom(0, 1, 2, 100) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('resume' as const), reader: which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('close' as const), reader: which }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('prune' as const), keep: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('drop' as const), topic }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('ephemeral' as const), topic, node }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('cut' as const), node }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('mend' as const), node }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('away' as const), away: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.oneof(fc.nat(6), fc.nat(120), fc.nat(900)) }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

interface Open extends Reader {
  readonly topic: Topic;
  readonly begun: Cursor;
  readonly position: () => Cursor;
  readonly chooses: (event: Truth['events'][number]) => boolean;
  readonly conflating: boolean;
  readonly lenient: boolean;
  closedAt: Cursor | undefined;
}

const SELECTIONS: Record<string, Pick<SubscribeRequest, 'types' | 'filters'> & Pick<Open, 'chooses'>> = {
  all: { chooses: () => true },
  type: { types: ['even'], chooses: ({ type }) => type === 'even' },
  filter: { filters: [parseFilter('n=gt.10')!], chooses: ({ data }) => (data as { n: number }).n > 10 },
};

class Run {
  readonly system: System;
  readonly readers: Open[] = [];
  readonly #pending: Promise<unknown>[] = [];
  #n = 0;

  constructor(seed: number) {
    this.system = new System({ seed, awkwardness: { delayMs: 6, failures: 0.03, shortPages: true } });
  }

  async do(command: Command): Promise<void> {
    const { system } = this;
    switch (command.op) {
      case 'publish': {
        const events = range(1, command.count).map(() => {
          this.#n += 1;
          return { type: this.#n % 2 === 0 ? 'even' : 'odd', key: `k${this.#n % 4}`, data: { n: this.#n } };
        });
        // Whether it succeeds or fails, the log remembers what was appended.
        this.#pending.push(Promise.allSettled([system.brokers[command.node].publish(command.topic, events)]));
        break;
      }
      case 'subscribe':
        this.#subscribe(command);
        break;
      case 'budget': {
        const reader = this.#reader(command.reader);
        if (reader === undefined) break;
        reader.recorder.budget = command.budget;
        if (command.budget > 0) reader.subscription.resume();
        break;
      }
      case 'resume':
        this.#reader(command.reader)?.subscription.resume();
        break;
      case 'close': {
        const reader = this.#reader(command.reader);
        if (reader === undefined) break;
        reader.closedAt = reader.subscription.position;
        reader.close();
        break;
      }
      case 'prune':
        await system.log.prune(() => ({ events: command.keep }), Date.now());
        break;
      case 'drop':
        await system.log.drop(command.topic);
        break;
      case 'ephemeral':
        system.brokers[command.node].publishEphemeral(command.topic, [{ data: 'now' }]);
        break;
      case 'cut':
        system.hub.cut(command.node === 0 ? 'a' : 'b');
        break;
      case 'mend':
        system.hub.mend(command.node === 0 ? 'a' : 'b');
        break;
      case 'away':
        system.log.away = command.away;
        break;
      case 'pass':
        await system.pass(command.ms);
    }
  }

  /** Lets everything come to rest: the log is there, and every reader takes what it is given. */
  async settle(): Promise<void> {
    const { system } = this;
    system.log.away = false;
    system.log.awkwardness = { ...system.log.awkwardness, failures: 0 };
    await system.done(Promise.all(this.#pending));
    for (const reader of this.readers) if (reader.closedAt === undefined) reader.wake();
    await system.pass(10_000);
  }

  async end(): Promise<void> {
    for (const reader of this.readers) if (reader.closedAt === undefined) reader.close();
    for (const broker of this.system.brokers) {
      expect(broker.topics, 'topics held by nobody').toBe(0);
      expect(broker.subscriptions).toBe(0);
    }
    await this.system.close();
    await this.system.pass(1000);
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    expect(this.system.faults).toEqual([]);
  }

  #reader(index: number): Open | undefined {
    const open = this.readers.filter(({ closedAt }) => closedAt === undefined);
    return open[index % Math.max(1, open.length)];
  }

  #subscribe({ topic, node, start, selection, conflate, budget }: Extract<Command, { op: 'subscribe' }>): void {
    const { chooses, ...chosen } = SELECTIONS[selection]!;
    const request = { topic, start: this.#start(topic, start), conflate: conflate || undefined, ...chosen };
    const attempt = async () => {
      const [subscription] = await this.system.brokers[node].subscribe([request]);
      const recorder = new Recorder();
      recorder.budget = budget;
      const begun = subscription!.position;
      this.readers.push({
        ...readerOf(subscription!, recorder),
        topic,
        begun,
        position: () => subscription!.position,
        chooses,
        conflating: conflate > 0,
        lenient: request.start.kind !== 'cursor' && request.start.kind !== 'since',
        closedAt: undefined,
      });
      subscription!.start(recorder);
    };
    this.#pending.push(Promise.allSettled([attempt()]));
  }

  #start(topic: Topic, start: Extract<Command, { op: 'subscribe' }>['start']): Start {
    if (start === 'earliest' || start === 'latest') return { kind: start };
    if ('last' in start) return { kind: 'last', count: start.last };
    if ('since' in start) return { kind: 'since', time: Date.now() - start.since };
    const history = this.system.log.history(topic);
    const now = history.at(-1)!;
    const before = history.at(-2) ?? now;
    const epoch = { now: now.epoch, before: before.epoch, never: '0123456789' }[start.log]!;
    return { kind: 'cursor', cursors: [{ epoch, seq: start.seq }] };
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('each reader is told the rest of the log, each event once and in order, or of a gap for exactly what is missing', async () => {
  await fc.assert(
    fc
      .asyncProperty(
        fc.integer(),
        fc.array(command, { minLength: 5, maxLength: 60, size: 'max' }),
        async (seed, commands) => {
          const run = new Run(seed);
          for (const each of commands) await run.do(each);
          await run.settle();
          for (const reader of run.readers) {
            const position = reader.closedAt ?? reader.position();
            checkRecord(run.system.log, { ...reader, position, finished: reader.closedAt === undefined });
          }
          await run.end();
        },
      )
      .afterEach(() => {
        vi.clearAllTimers();
      }),
    { numRuns: Number(process.env['RUNS'] ?? 150), interruptAfterTimeLimit: 60_000 },
  );
}, 120_000);
