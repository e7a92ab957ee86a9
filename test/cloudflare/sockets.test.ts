/** What happens between the Worker and the objects of topics while readers read: they notice nothing of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishUntilAcknowledged, seqOf } from '../crash/clients.ts';
import { STORM_SETTINGS } from '../crash/storm.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { pause, until } from '../support/until.ts';
import { type Deployed, deploy } from './deployed.ts';
import { openReader } from './reader.ts';

let deployed: Deployed;
let port: number;

beforeAll(async () => {
  deployed = await deploy({
    settings: {
      ...STORM_SETTINGS,
      AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'], presence: ['**'] }),
    },
    entry: 'test/cloudflare/observed-worker.ts',
  });
  port = Number(new URL(deployed.url).port);
});
afterAll(() => deployed?.close());

const hand = async (path: string): Promise<any> => (await fetch(`${deployed.url}${path}`)).json();

describe('sockets that end under live readers', () => {
  it('again and again: no gap, no repetition, and no line of a client is cut', { timeout: 120_000 }, async () => {
    const seed = chooseSeed();
    const random = seededRandom(seed);
    const topics = ['cut:one', 'cut:two'];
    const paths = [
      '/v1/topics/cut:one/events?after=earliest',
      '/v1/topics/cut:one/events?after=earliest&types=even',
      '/v1/topics/cut:two/events?after=earliest&filter=n=gt.50',
      '/v1/events?after=earliest&topic=cut:one&topic=cut:two',
    ];
    const readers = paths.map((path) => openReader(port, path));
    await until('all readers are live', () => readers.every(({ isReady }) => isReady()));
    const told: { readonly topic: string; readonly id: string; readonly n: number; readonly type: string }[] = [];
    let publishing = true;
    const publishers = topics.map(async (topic) => {
      for (let n = 1; publishing; n += 1) {
        const type = n % 2 === 0 ? 'even' : 'odd';
        const response = await fetch(`${deployed.url}/v1/topics/${topic}/events`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `${topic}-${n}` },
          body: JSON.stringify({ type, data: { n } }),
        });
        // An object that was ended says so: the key makes it safe to ask again.
        if (response.status === 503) {
          n -= 1;
          continue;
        }
        expect(response.status).toBe(201);
        const [{ id }] = ((await response.json()) as any).events;
        told.push({ topic, id, n, type });
      }
    });
    let cuts = 0;
    for (let round = 0; round < 60; round += 1) {
      await pause(random() * 150);
      const topic = topics[round % 2] ?? '';
      if (random() < 0.6) cuts += await hand(`/cut?topic=${topic}`);
      else await hand(`/end?topic=${topic}`);
    }
    publishing = false;
    await Promise.all(publishers);
    const wanted = [
      told.filter(({ topic }) => topic === 'cut:one'),
      told.filter(({ topic, type }) => topic === 'cut:one' && type === 'even'),
      told.filter(({ topic, n }) => topic === 'cut:two' && n > 50),
      told,
    ];
    try {
      for (const [index, reader] of readers.entries()) {
        const expected = wanted[index] ?? [];
        await until(`reader ${index} has everything`, () => reader.events().length >= expected.length);
        for (const topic of topics) {
          const of = ({ topic: each }: { readonly topic: string }) => each === topic;
          expect(
            reader
              .events()
              .filter(of)
              .map(({ id }) => id),
          ).toEqual(
            expected
              .filter(of)
              .map(({ id }) => id)
              .toSorted((a, b) => seqOf(a) - seqOf(b)),
          );
        }
        expect(reader.controls('$gap')).toEqual([]);
        expect(reader.controls('$ready')).toHaveLength(1);
        expect(reader.ended()).toBe(false);
      }
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${String(error)}`, { cause: error });
    }
    expect(cuts).toBeGreaterThan(40);
    console.info(`seed ${seed}: ${told.length} events, ${cuts} sockets cut`);
    for (const { connection } of readers) connection.close();
  });
});

describe('an object with idle readers attached', () => {
  it('is put to sleep, and woken by the next event goes on as if it had not slept', { timeout: 90_000 }, async () => {
    const publish = async (n: number) => publishUntilAcknowledged(port, 'asleep', [{ n }]);
    await publish(1);
    const readers = [
      openReader(port, '/v1/topics/asleep/events?after=earliest'),
      openReader(port, '/v1/topics/asleep/events?after=earliest&filter=n=gt.2'),
      openReader(port, '/v1/topics/asleep/events?after=earliest&presence=1'),
      openReader(port, '/v1/topics/asleep/events?after=earliest&conflate=100'),
    ];
    await until('all readers are live', () => readers.every(({ isReady }) => isReady()));
    await publish(2);
    await until('the second event', () => readers[0]!.events().length === 2);
    const before = await hand('/seen');
    // The runtime puts an object to sleep when nothing was done for ten seconds; nothing here asks it meanwhile.
    await pause(16_000);
    expect(await hand('/seen')).toEqual(before);
    await publish(3);
    const after = await hand('/seen');
    expect(after.wakes).toBe(before.wakes + 1);
    const numbers = () => readers.map((reader) => reader.events().map(({ data }) => data.n));
    await until('the third event', () => numbers().every((seen) => seen.includes(3)));
    expect(numbers()).toEqual([[1, 2, 3], [3], [1, 2, 3], [1, 2, 3]]);
    // The sockets are those of before.
    expect((await hand('/seen')).sockets).toBe(before.sockets);
    // Presence goes on too.
    await fetch(`${deployed.url}/v1/presence/asleep/ada`, {
      method: 'PUT',
      body: '{}',
      headers: { 'Content-Type': 'application/json' },
    });
    await until('who came is told', () => readers[2]!.controls('$presence').length === 2);
    for (const { connection } of readers) connection.close();
  });
});

describe('a reader that conflates', () => {
  it('loses nothing to an ephemeral event that comes while it waits', async () => {
    const post = (events: unknown) =>
      fetch(`${deployed.url}/v1/topics/calm/events`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(events),
      });
    const reader = openReader(port, '/v1/topics/calm/events?conflate=400');
    await until('it is live', reader.isReady);
    await post({ data: 'one' });
    await until('the first is there', () => reader.events().length === 1);
    await post({ data: 'two' });
    await post({ data: 'fleeting', ephemeral: true });
    await until('all are there', () => reader.events().length === 3);
    expect(reader.events().map(({ data }) => data)).toEqual(['one', 'fleeting', 'two']);
    reader.connection.close();
  });
});

describe('a reader that chooses by very much', () => {
  it('is attached and goes on after its object has ended', async () => {
    const filters = Array.from(
      { length: 16 },
      (_, n) => `filter=${encodeURIComponent(`f${n}=neq.é${'x'.repeat(500)}`)}`,
    );
    const reader = openReader(port, `/v1/topics/much/events?${filters.join('&')}`);
    await until('it is live, or refused', () => reader.isReady() || reader.ended());
    expect(reader.connection.status()).toBe(200);
    const fields = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`f${n}`, 'x']));
    await publishUntilAcknowledged(port, 'much', [fields]);
    await until('the first is there', () => reader.events().length === 1);
    await hand('/end?topic=much');
    await publishUntilAcknowledged(port, 'much', [fields]);
    await until('the second is there', () => reader.events().length === 2);
    reader.connection.close();
  });
});
