/** A publish storm under which a server is killed again and again. */
import { expect } from 'vitest';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { freePort } from '../support/server-process.ts';
import { pause, until } from '../support/until.ts';
import { follow, publishUntilAcknowledged, readLog, type Seen, seqOf } from './clients.ts';

const KILLS = 20;
const PUBLISHERS = 6;
const TOPICS = ['storm:one', 'storm:two'];
/** The settings under which anybody may do what the storm does. */
export const STORM_SETTINGS = {
  AUTH_SECRET: 'of no use here, but long enough to be taken',
  AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
  LIMIT_WRITES_PER_ADDRESS: 'none',
  LIMIT_WRITES_PER_SUBJECT: 'none',
  LOG_LEVEL: 'silent',
} as const;

export interface Killable {
  /** Ends it with no time for anything, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Kills a server again and again while others publish and read, and compares what all of them saw. */
async function storm(start: (port: number) => Promise<Killable>, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const port = await freePort();
  let server = await start(port);

  const acknowledged: Seen[][] = Array.from({ length: PUBLISHERS }, () => []);
  let answers = 0;
  let repeated = 0;
  let publishing = true;
  const publishers = acknowledged.map(async (mine, publisher) => {
    for (let write = 0; publishing; write += 1) {
      const data = Array.from({ length: 1 + (write % 3) }, (_, place) => [publisher, write, place]);
      const { events, attempts } = await publishUntilAcknowledged(port, TOPICS[(publisher + write) % 2]!, data);
      mine.push(...events);
      answers += 1;
      if (attempts > 1) repeated += 1;
    }
  });
  const readers = [[TOPICS[0]!], [TOPICS[1]!], TOPICS].map((topics) => ({ topics, reader: follow(port, topics) }));

  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = answers;
    await until('the storm is under way', () => answers >= before + 20);
    await pause(random() * 150);
    await server.kill();
    server = await start(port);
  }
  publishing = false;
  await Promise.all(publishers);

  const logs = new Map<string, readonly Seen[]>();
  for (const topic of TOPICS) logs.set(topic, await readLog(port, topic));
  const all = acknowledged.flat();
  for (const [topic, log] of logs) {
    // Without holes, in order, each once.
    expect(log.map(({ id }) => seqOf(id))).toEqual(log.map((_, index) => index + 1));
    expect(new Set(log.map(({ id }) => id.slice(0, id.lastIndexOf('-')))).size).toBe(1);
    // What was acknowledged is there under the id that was told; and nothing else is, since every write was acknowledged.
    const told = all.filter((event) => event.topic === topic).toSorted((a, b) => seqOf(a.id) - seqOf(b.id));
    expect(told).toEqual(log);
  }
  // Each publisher's writes to a topic stand in the order in which it made them.
  for (const mine of acknowledged) {
    for (const topic of TOPICS) {
      const seqs = mine.filter((event) => event.topic === topic).map(({ id }) => seqOf(id));
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    }
  }
  for (const { topics, reader } of readers) {
    const expected = topics.reduce((sum, topic) => sum + (logs.get(topic)?.length ?? 0), 0);
    await until('the reader has everything', () => reader.events.length >= expected);
    for (const topic of topics) expect(reader.events.filter((event) => event.topic === topic)).toEqual(logs.get(topic));
    expect(reader.events.length).toBe(expected);
    expect(reader.controls.filter(([name]) => name === '$gap')).toEqual([]);
    expect(reader.connections()).toBeGreaterThan(KILLS);
    reader.close();
  }
  // The test has seen what it is about: writes that were cut and sent again.
  expect(repeated).toBeGreaterThan(0);
  console.info(`seed ${seed}: ${all.length} events, ${repeated} of ${answers} writes sent again, ${KILLS} kills`);
  await server.kill();
}

/**
 * Kills a server twenty times while others publish and read. What was acknowledged is there, once and in order, and every reader has it all.
 * @param start starts it on what is kept, and resolves when it answers
 */
export async function survivesKills(start: (port: number) => Promise<Killable>): Promise<void> {
  const seed = chooseSeed();
  try {
    await storm(start, seed);
  } catch (error) {
    throw new Error(`with SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
