import { afterEach, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { answers, freePort, killServers, startServerProcess } from '../support/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { pause, until } from '../support/until.ts';
import { eventsPath, follow, publishUntilAcknowledged, readLog, seqOf } from './clients.ts';

const TOPIC = 'away';
/** How long the database is away, in ms. */
const AWAY_MS = 10_000;
/** A caller hears of it within this time, in ms. */
const PATIENCE = 8000;

describe.skipIf((await findPostgres()) === undefined)('a server whose database is away for ten seconds', () => {
  let made: TestDatabase;
  let proxy: TcpProxy;

  afterEach(async () => {
    killServers();
    await proxy.close();
    await made.drop();
  });

  async function start(): Promise<number> {
    made = await createDatabase();
    const url = new URL(made.url);
    proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    const port = await freePort();
    await startServerProcess('serve', {
      PORT: String(port),
      DATABASE_URL: url.href,
      AUTH_SECRET: 'of no use here, but long enough to be taken',
      AUTH_ANON: JSON.stringify({ subscribe: ['**'], publish: ['**'] }),
      LIMIT_WRITES_PER_ADDRESS: 'none',
      LIMIT_WRITES_PER_SUBJECT: 'none',
      LOG_LEVEL: 'error',
    });
    return port;
  }

  const ways: Record<string, { away(): void; back(): Promise<void> }> = {
    'it refuses connections': { away: () => proxy.refuse(), back: () => proxy.mend() },
    'it says nothing': { away: () => proxy.freeze(), back: () => proxy.mend() },
    'it is replaced by another': { away: () => proxy.freeze(), back: async () => proxy.abandon() },
  };
  for (const [name, way] of Object.entries(ways)) {
    it(`says so, keeps its streams, and goes on by itself: ${name}`, { timeout: 90_000 }, async () => {
      const port = await start();
      const url = `http://127.0.0.1:${port}`;
      const reader = follow(port, [TOPIC]);
      await until('the stream is live', () => reader.controls.some(([control]) => control === '$ready'));
      const written = [...(await publishUntilAcknowledged(port, TOPIC, ['before'])).events];
      await until('it has come', () => reader.events.length === 1);

      const publish = async (data: unknown) => {
        const begun = performance.now();
        const response = await fetch(`${url}${eventsPath(TOPIC)}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ data }),
        });
        return { response, ms: performance.now() - begun };
      };

      way.away();
      const end = performance.now() + AWAY_MS;
      // A publisher with a key that was at it when the database went, and will not give up.
      const kept = publishUntilAcknowledged(port, TOPIC, ['kept']);
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          const { response, ms } = await publish('refused');
          expect(response.status).toBe(503);
          expect(ms).toBeLessThan(PATIENCE);
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
          expect(response.headers.get('content-type')).toContain('application/problem+json');
          expect(await response.json()).toMatchObject({ status: 503, code: 'unavailable' });
        }),
      );
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(503);
      expect(ready.headers.get('retry-after')).not.toBeNull();
      await ready.body?.cancel();
      expect(await answers(`${url}/healthz`)).toBe(true);
      // A stream that is opened now is open, and gets its history when that can be had.
      const late = follow(port, [TOPIC]);
      await until('a new stream is open', () => late.controls.some(([control]) => control === '$open'));
      await pause(end - performance.now());
      expect(reader.connections()).toBe(1);
      expect(await answers(`${url}/readyz`)).toBe(false);

      await way.back();
      await until('it is ready again', () => answers(`${url}/readyz`), PATIENCE);
      written.push(...(await kept).events);
      for (const data of ['after 1', 'after 2', 'after 3'])
        written.push(...(await publishUntilAcknowledged(port, TOPIC, [data])).events);
      const log = await readLog(port, TOPIC);
      expect(log.map(({ id }) => seqOf(id))).toEqual(log.map((_, index) => index + 1));
      // Every acknowledged event is there; a refused one may have been committed all the same, and then stands there once.
      expect(log.filter(({ data }) => data !== 'refused')).toEqual(written);
      for (const each of [reader, late]) {
        await until('the stream has everything', () => each.events.length === log.length);
        expect(each.events).toEqual(log);
        expect(each.connections()).toBe(1);
        expect(each.controls.filter(([control]) => control === '$gap' || control === '$close')).toEqual([]);
        each.close();
      }
    });
  }
});
