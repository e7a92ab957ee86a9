/** A topic with more readers than one object may have: a tree of relays, with small numbers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STORM_SETTINGS } from '../crash/storm.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { pause, until } from '../support/until.ts';
import { type Deployed, deploy } from './deployed.ts';
import { openReader } from './reader.ts';

const TOPIC = 'crowd';
let deployed: Deployed;
let port: number;

beforeAll(async () => {
  deployed = await deploy({
    settings: {
      ...STORM_SETTINGS,
      AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'], presence: ['**'] }),
      READERS_PER_OBJECT: '3',
      RELAYS_PER_OBJECT: '2',
    },
    entry: 'test/cloudflare/observed-worker.ts',
  });
  port = Number(new URL(deployed.url).port);
});
afterAll(() => deployed?.close());

const hand = async (path: string): Promise<any> => (await fetch(`${deployed.url}${path}`)).json();

async function publish(n: number, ephemeral = false): Promise<string | undefined> {
  for (;;) {
    const response = await fetch(`${deployed.url}/v1/topics/${TOPIC}/events`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': `n-${n}` },
      body: JSON.stringify({ type: n % 2 === 0 ? 'even' : 'odd', data: { n }, ephemeral }),
    });
    if (response.status === 503) continue;
    return ((await response.json()) as any).events[0].id;
  }
}

describe('a topic with more readers than one object may have', () => {
  it('spreads them over a tree of relays, and tells each everything once, whatever ends', {
    timeout: 120_000,
  }, async () => {
    const seed = chooseSeed();
    const random = seededRandom(seed);
    const path = `/v1/topics/${TOPIC}/events`;
    await publish(1);
    const readers = Array.from({ length: 24 }, (_, index) =>
      openReader(port, `${path}?after=earliest${index % 4 === 3 ? '&types=even' : ''}`),
    );
    await until('all readers are live', () => readers.every(({ isReady }) => isReady()));
    // Three at the topic's object, three at each of its two relays and of theirs, and the others below those.
    expect(await hand(`/sockets?topic=${TOPIC}`)).toBe(3);
    for (const relay of ['0', '1']) expect(await hand(`/sockets?topic=${TOPIC}&path=${relay}`)).toBe(3);
    const below = await Promise.all(
      ['0/0', '0/1', '1/0', '1/1'].map((at) => hand(`/sockets?topic=${TOPIC}&path=${at}`)),
    );
    expect(below).toEqual([3, 3, 3, 3]);

    // Ephemeral events go down the tree too.
    await publish(0, true);
    await until('all heard the ephemeral one', () =>
      readers.every(({ events }) => events().some(({ id }) => id === undefined)),
    );

    const ids: string[] = [];
    let publishing = true;
    const publisher = (async () => {
      for (let n = 2; publishing; n += 1) ids.push((await publish(n)) ?? '');
    })();
    const places = ['', '&path=0', '&path=1', '&path=0/0', '&path=1/0', '&path=1/1'];
    for (let round = 0; round < 40; round += 1) {
      await pause(random() * 120);
      const place = places[Math.floor(random() * places.length)];
      await hand(`/${random() < 0.5 ? 'cut' : 'end'}?topic=${TOPIC}${place}`);
    }
    publishing = false;
    await publisher;
    try {
      for (const [index, reader] of readers.entries()) {
        const expected = ids.filter((_, at) => index % 4 !== 3 || at % 2 === 0);
        const seen = () => reader.events().flatMap(({ id, data }) => (id === undefined || data.n === 1 ? [] : [id]));
        await until(`reader ${index} has everything`, () => seen().length >= expected.length);
        expect(seen()).toEqual(expected);
        expect(reader.controls('$gap')).toEqual([]);
        expect(reader.ended()).toBe(false);
      }
    } catch (error) {
      throw new Error(`with SEED=${seed}: ${String(error)}`, { cause: error });
    }
    console.info(`seed ${seed}: ${ids.length} events to ${readers.length} readers`);
    for (const { connection } of readers) connection.close();
  });

  it('tells those at relays who is there', { timeout: 60_000 }, async () => {
    const readers = Array.from({ length: 5 }, () => openReader(port, '/v1/topics/room/events?presence=1'));
    await until('all readers are live', () => readers.every(({ isReady }) => isReady()));
    for (const change of [{ state: 1 }, { state: 2 }]) {
      const body = JSON.stringify(change);
      await fetch(`${deployed.url}/v1/presence/room/ada`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body,
      });
    }
    const told = () => readers.map(({ controls }) => controls('$presence').map(({ data }) => JSON.parse(data).change));
    await until('all know', () => told().every((changes) => changes.includes('update')));
    for (const changes of told()) expect(changes).toEqual(['sync', 'join', 'update']);
    for (const { connection } of readers) connection.close();
  });

  it('tells the first reader of a relay at once, also while events come all the time', {
    timeout: 90_000,
  }, async () => {
    let publishing = true;
    let n = 0;
    const publisher = (async () => {
      while (publishing) {
        n += 1;
        await fetch(`${deployed.url}/v1/topics/busy/events`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ data: n }),
        });
      }
    })();
    const path = '/v1/topics/busy/events';
    const fillers = Array.from({ length: 3 }, () => openReader(port, path));
    await until('the object is full', () => fillers.every(({ isReady }) => isReady()));
    for (let round = 0; round < 4; round += 1) {
      const reader = openReader(port, path);
      await until('it is live', reader.isReady);
      const begun = Date.now();
      await until('it hears what comes', () => reader.events().length >= 30);
      // What a relay misses it looks for once a minute: that must not be what has helped.
      expect(Date.now() - begun).toBeLessThan(20_000);
      const seen = reader.events().map(({ data }) => data);
      expect(seen).toEqual(seen.map((_, at) => seen[0] + at));
      reader.connection.close();
      await until('the relays have nobody left', async () => {
        const sockets = await Promise.all(['0', '1'].map((at) => hand(`/sockets?topic=busy&path=${at}`)));
        return sockets.every((count) => count === 0);
      });
    }
    publishing = false;
    await publisher;
    for (const { connection } of fillers) connection.close();
  });
});
