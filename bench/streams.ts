/** The measurement that three rows share: streams of one topic, publishers, and what the deliveries cost and take. */
import { openReaders, openWriters, shortfall } from './load.ts';
import { cpuSeconds } from './processes.ts';
import { newTopic, type Sample } from './rounds.ts';
import type { Target } from './servers.ts';

/** A set rate that was held to less than this share was another load, and its costs cannot be compared. */
const LEAST_OF_RATE = 0.8;

export interface StreamLoad {
  readonly subscribers: number;
  readonly publishers: number;
  /** Events a second; absent: as fast as publishes are answered. */
  readonly rate?: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** One delivery in so many has its latency taken. */
  readonly sampleEvery: number;
}

export type StreamMeasures = {
  /** Microseconds of the server's processor time for each delivery. */
  readonly cpu: number;
  /** Deliveries a second, from the first publish to the last delivery. */
  readonly deliveries: number;
  /** Publishes answered a second. */
  readonly publishes: number;
  /** Milliseconds from publish to delivery. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of the readers' processor time for each delivery: what the load itself takes from the machine. */
  readonly readers: number;
};

/** Starts the target, warms it up, loads it, and counts: every publish must reach every stream exactly once. */
export async function measureStreams(target: Target, load: StreamLoad): Promise<Sample<StreamMeasures>> {
  const { subscribers, sampleEvery } = load;
  const server = await target.start();
  const closing: { close(): Promise<void> }[] = [];
  try {
    const topic = newTopic();
    const readers = await openReaders(server, { topic, connections: subscribers, sampleEvery });
    closing.push(readers);
    const writers = await openWriters(server, topic, load.publishers);
    closing.push(writers);
    const rate = load.rate === undefined ? {} : { rate: load.rate };

    const warming = await writers.write({ ...rate, seconds: load.warmSeconds });
    const warmed = await readers.settle(warming.accepted);
    const cold = shortfall(warming, warmed, subscribers);
    if (cold !== undefined) return { failed: cold };
    await readers.mark();

    const before = cpuSeconds(server.pid);
    const writing = await writers.write({ ...rate, seconds: load.seconds });
    const reading = await readers.settle(writing.accepted);
    const cpu = cpuSeconds(server.pid) - before;
    const failed = shortfall(writing, reading, subscribers);
    if (failed !== undefined) return { failed };
    const publishes = writing.accepted / ((writing.lastAt - writing.startedAt) / 1e6);
    if (load.rate !== undefined && publishes < load.rate * LEAST_OF_RATE)
      return { failed: `only ${publishes.toFixed(1)} of ${load.rate} events a second could be published` };
    return {
      cpu: (cpu * 1e6) / reading.delivered,
      deliveries: reading.delivered / ((reading.lastAt - writing.startedAt) / 1e6),
      publishes,
      p50: reading.latency.p50,
      p99: reading.latency.p99,
      readers: (reading.cpu * 1e6) / reading.delivered,
    };
  } finally {
    await Promise.all(closing.map((one) => one.close()));
    await server.stop();
  }
}
