import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabaseSocket } from '../../src/node/database-socket.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { append, bodies, body, freshKey, freshTopic, readAll } from './contract/log.ts';

/** What a caller may wait at most, in ms: the store's own bound, and what a busy machine adds. */
const PATIENCE = 8000;

/** How an append ended, and after how long, in ms. */
async function timed(work: Promise<unknown>): Promise<{ readonly outcome: unknown; readonly ms: number }> {
  const begun = performance.now();
  const outcome = await work.then(
    () => 'done',
    (error) => error,
  );
  return { outcome, ms: performance.now() - begun };
}

describe.skipIf((await findPostgres()) === undefined)('a store whose database goes away', () => {
  let made: TestDatabase;
  let proxy: TcpProxy;
  let store: Store;
  const faults: unknown[] = [];
  const note = (fault: unknown) => faults.push(fault);

  beforeAll(async () => {
    made = await createDatabase();
    process.on('unhandledRejection', note);
  });
  afterAll(async () => {
    process.off('unhandledRejection', note);
    await made.drop();
  });
  beforeEach(async () => {
    const { hostname, port } = new URL(made.url);
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 5432) });
    store = await createPostgresStore(await connectPostgres({ url: urlBy(proxy), socket: createDatabaseSocket() }), {
      schedule: setImmediate,
    });
  });
  afterEach(async () => {
    await store.close();
    await proxy.close();
    expect(faults.splice(0)).toEqual([]);
  });

  function urlBy({ port }: TcpProxy): string {
    const url = new URL(made.url);
    url.hostname = '127.0.0.1';
    url.port = String(port);
    return url.href;
  }

  /** Tries until it succeeds, and gives the answer. */
  async function eventually<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer | undefined;
    await until('it succeeds again', async () => {
      try {
        answer = await work();
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailable);
      }
      return answer !== undefined;
    });
    return answer!;
  }

  const ways: Record<string, { away(): void; back(): Promise<void> }> = {
    'refuses connections': { away: () => proxy.refuse(), back: () => proxy.mend() },
    'takes connections and closes them': { away: () => proxy.hangUp(), back: () => proxy.mend() },
    'says nothing, and wakes': { away: () => proxy.freeze(), back: () => proxy.mend() },
    'says nothing, and is replaced by another that knows nothing of the old connections': {
      away: () => proxy.freeze(),
      back: async () => proxy.abandon(),
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    it(`fails every call in time while the database ${name}, and resumes by itself`, { timeout: 60_000 }, async () => {
      const topic = freshTopic();
      const before = await append(store.log, topic, bodies(3));
      await Promise.all(Array.from({ length: 12 }, () => store.log.read(topic, 0, 10)));
      way.away();
      const calls = [
        ...Array.from({ length: 20 }, (_, index) => append(store.log, `${topic}:${index}`, bodies(1))),
        append(store.log, topic, bodies(1), freshKey()),
        store.log.read(topic, 0, 10),
        store.log.ranges([topic]),
        store.log.prune(() => ({ events: 1 }), Date.now()),
        store.check(),
        store.secret('outage'),
        store.revocations.since(0),
      ];
      for (const { outcome, ms } of await Promise.all(calls.map(timed))) {
        expect(outcome).toBeInstanceOf(StoreUnavailable);
        expect(ms).toBeLessThan(PATIENCE);
      }
      // Those who come later learn it too.
      const late = await timed(append(store.log, topic, bodies(1)));
      expect(late.outcome).toBeInstanceOf(StoreUnavailable);
      expect(late.ms).toBeLessThan(PATIENCE);
      await way.back();
      const begun = performance.now();
      const key = freshKey();
      const after = await eventually(() => append(store.log, topic, [body('after')], key));
      expect(performance.now() - begun).toBeLessThan(PATIENCE);
      expect(after).toMatchObject({ epoch: before.epoch });
      const seen = await readAll(store.log, topic);
      expect(seen.slice(0, 3).map((event) => event.body)).toEqual(bodies(3));
      expect(seen.map((event) => event.seq)).toEqual(seen.map((_, index) => index + 1));
      expect(seen.filter((event) => event.body === body('after')).length).toBe(1);
      await store.check();
    });
  }

  it('answers whole after connections were lost in the middle of an answer', async () => {
    const database = await connectPostgres({ url: made.url, connections: 2 });
    const ask = async (n: number) => {
      for (;;) {
        try {
          return await database.query('SELECT $1::int AS n', [n]);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
        }
      }
    };
    const large = 'SELECT n, pg_sleep(CASE WHEN n % 1000 = 0 THEN 0.04 ELSE 0 END) FROM generate_series(1, $1::int) n';
    const halves = Promise.allSettled([1, 2].map(() => database.query(large, [100_000])));
    await until('both are answered in part', async () => {
      // Some thousand rows are more than is gathered before it is sent.
      const [row] = await made.sql`SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%generate_series%' AND application_name = 'sluice'
          AND clock_timestamp() - query_start > interval '400 milliseconds'`;
      return row?.['n'] === 2;
    });
    await made.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'sluice' AND datname = current_database() AND pid <> pg_backend_pid()`;
    expect((await halves).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const answers = [];
    for (let n = 0; n < 6; n += 1) answers.push(await ask(n));
    expect(answers.map((rows) => Array.from(rows, (row) => row))).toEqual([0, 1, 2, 3, 4, 5].map((n) => [{ n }]));
    await database.close();
  });

  it('does not dial without a pause while its connections are closed before they begin', async () => {
    await append(store.log, freshTopic(), bodies(1));
    proxy.hangUp();
    const before = proxy.taken;
    await timed(append(store.log, freshTopic(), bodies(1)));
    await timed(append(store.log, freshTopic(), bodies(1)));
    expect(proxy.taken - before).toBeLessThan(100);
  });

  it('appends once when the line is cut between the commit and its answer, and the write is sent again', async () => {
    for (let round = 0; round < 5; round += 1) {
      const topic = freshTopic();
      const key = freshKey();
      const text = body(`${'x'.repeat(20_000)}${round}`);
      await append(store.log, topic, [body('before')]);
      const cut = proxy.cutAfterRequest(20_000);
      const first = await timed(append(store.log, topic, [text], key));
      expect(first.outcome).toBeInstanceOf(StoreUnavailable);
      await cut;
      expect(await eventually(() => append(store.log, topic, [text], key))).toMatchObject({
        kind: 'replayed',
        first: 2,
      });
      expect((await readAll(store.log, topic)).map((event) => event.body)).toEqual([body('before'), text]);
    }
  });

  it('appends each write once under cuts at any moment', { timeout: 60_000 }, async () => {
    const topics = [freshTopic(), freshTopic()];
    let writing = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const written: { readonly topic: string; readonly text: string }[] = [];
      for (let index = 0; writing; index += 1) {
        const topic = topics[(writer + index) % 2]!;
        const text = body([writer, index]);
        const key = freshKey();
        await eventually(() => append(store.log, topic, [text], key));
        written.push({ topic, text });
      }
      return written;
    });
    for (let cut = 0; cut < 15; cut += 1) {
      const before = (await made.sql`select coalesce(sum(latest), 0)::int as sum from sluice.topics`)[0]?.['sum'];
      await until('writes get through', async () => {
        const [row] = await made.sql`select coalesce(sum(latest), 0)::int as sum from sluice.topics`;
        return row?.['sum'] > before + 20;
      });
      proxy.cut();
    }
    writing = false;
    const written = (await Promise.all(writers)).flat();
    for (const topic of topics) {
      const seen = (await eventually(() => readAll(store.log, topic))).map((event) => event.body);
      const expected = written.filter((write) => write.topic === topic).map(({ text }) => text);
      expect(seen.toSorted()).toEqual(expected.toSorted());
    }
  });

  it('says quickly that it cannot start while the database is away', { timeout: 60_000 }, async () => {
    for (const away of [() => proxy.refuse(), () => proxy.hangUp(), () => proxy.freeze()]) {
      away();
      const { outcome, ms } = await timed(connectPostgres({ url: urlBy(proxy), socket: createDatabaseSocket() }));
      expect(outcome).toBeInstanceOf(StoreUnavailable);
      expect(ms).toBeLessThan(PATIENCE);
      await proxy.mend();
    }
    const database = await connectPostgres({ url: urlBy(proxy), socket: createDatabaseSocket() });
    await database.close();
  });

  it('ends in time though the database says nothing', async () => {
    await append(store.log, freshTopic(), bodies(1));
    proxy.freeze();
    const held = timed(append(store.log, freshTopic(), bodies(1)));
    const { ms } = await timed(store.close());
    expect(ms).toBeLessThan(PATIENCE);
    expect((await held).outcome).toBeInstanceOf(StoreUnavailable);
  });
});
