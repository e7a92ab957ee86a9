import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RelayTarget } from '../../src/capture/change.ts';
import type { RelayOptions } from '../../src/capture/relay.ts';
import { moveTransactions } from '../../src/capture/relay-move.ts';
import { planMove } from '../../src/capture/relay-plan.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { pause, until } from '../support/until.ts';
import {
  captureTables,
  endsOf,
  isOutboxEmpty,
  openStore,
  readChanges,
  relayOn,
  type TestRelay,
  targetsOf,
} from './relay-harness.ts';

const PROCESS = fileURLToPath(new URL('relay-process.ts', import.meta.url));

describe.skipIf((await findPostgres()) === undefined)('a relay', () => {
  let made: TestDatabase;
  let captures: readonly number[];
  const relays: TestRelay[] = [];
  const faults: unknown[] = [];
  const note = (fault: unknown) => faults.push(fault);

  beforeAll(() => void process.on('unhandledRejection', note));
  afterAll(() => void process.off('unhandledRejection', note));
  beforeEach(async () => {
    made = await createDatabase();
    const store = await openStore(made.url);
    captures = await captureTables(store.database);
    await store.close();
  });
  afterEach(async () => {
    for (const relay of relays.splice(0)) {
      await relay.stop();
      await relay.store.close();
    }
    await made.drop();
    expect(faults.splice(0)).toEqual([]);
  });

  async function begin(options: Partial<RelayOptions> = {}, url = made.url): Promise<TestRelay> {
    const relay = relayOn(await openStore(url), captures, options);
    relays.push(relay);
    relay.start();
    return relay;
  }

  /** A second session of a writer. */
  async function aside<Result>(work: (sql: postgres.Sql) => Promise<Result>): Promise<Result> {
    const sql = postgres(made.url, { max: 1, onnotice: () => undefined });
    try {
      return await work(sql);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  const moved = (relay: TestRelay) => until('everything is moved', () => isOutboxEmpty(relay.store.database));
  const add = (id: number, value = 'x') => made.sql`insert into items values (${id}, ${value})`;
  const isAsleep = async () => (await made.sql`select asleep from sluice.relay`)[0]?.['asleep'] as boolean;

  it('is replaced within 5 seconds after its process was killed', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, [PROCESS, made.url, ...captures.map(String)], { stdio: 'inherit' });
    const holder = async () => (await made.sql`select holder from sluice.relay where until > clock_timestamp()`)[0];
    await until('the process has the lease', async () => (await holder()) !== undefined);
    await add(1);
    const relay = await begin();
    await moved(relay);
    expect(relay.active).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const killed = performance.now();
    await add(2);
    await moved(relay);
    const ms = performance.now() - killed;
    console.info(`taken over after ${Math.round(ms)} ms`);
    expect(ms).toBeLessThan(5000);
    expect((await readChanges(relay.store.log, 'items')).map((change) => change.new?.id)).toEqual([1, 2]);
  });

  it('lets another begin at once when it is closed', async () => {
    const first = await begin();
    await until('it is active', () => first.active);
    const second = await begin();
    const closing = performance.now();
    await first.stop();
    await until('the other is active', () => second.active);
    expect(performance.now() - closing).toBeLessThan(2000);
  });

  it('that was replaced while it stood still moves nothing more', async () => {
    const relay = await begin();
    await until('it is active', () => relay.active);
    // As another relay does that finds the lease expired.
    await made.sql`update sluice.relay set holder = 'another', epoch = epoch + 1, until = clock_timestamp() + '1 hour'`;
    await add(1);
    await until('it knows', () => !relay.active);
    expect(await endsOf(relay.store.database)).toEqual({ items: 0, notes: 0 });
    expect(relay.lines.some(({ text }) => text.includes('lost its lease'))).toBe(true);
  });

  it('moves a transaction of 100,000 changes as one', { timeout: 120_000 }, async () => {
    const relay = await begin();
    await made.sql`insert into items select i, 'x' from generate_series(1, 100000) i`;
    const seen = new Set<number>();
    await until(
      'it is there',
      async () => {
        const { items } = await endsOf(relay.store.database);
        seen.add(items);
        return items === 100_000;
      },
      100_000,
    );
    expect([...seen].filter((end) => end > 0)).toEqual([100_000]);
    const changes = await readChanges(relay.store.log, 'items');
    expect(changes.map((change) => change.new?.id)).toEqual(Array.from({ length: 100_000 }, (_, index) => index + 1));
    // What is told is bounded, and ends where the log ends.
    const last = relay.told.at(-1)?.batch;
    expect((last?.first ?? 0) + (last?.bodies.length ?? 0) - 1).toBe(100_000);
    expect(relay.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('finds changes that become visible long after later ones', { timeout: 60_000 }, async () => {
    const relay = await begin();
    await aside((sql) =>
      sql.begin(async (late) => {
        await late`insert into items values (0, 'late')`;
        for (let round = 1; round <= 5; round += 1) {
          for (let id = 1; id <= 300; id += 1) await add(round * 1000 + id);
          await moved(relay);
          await pause(300);
        }
        await late`insert into items values (1, 'late')`;
      }),
    );
    await moved(relay);
    const changes = await readChanges(relay.store.log, 'items');
    expect(changes.length).toBe(1502);
    expect(changes.slice(-2).map((change) => change.new?.value)).toEqual(['late', 'late']);
    // And again after the floor has moved over them.
    for (let id = 1; id <= 300; id += 1) await add(10_000 + id);
    await moved(relay);
    expect((await endsOf(relay.store.database)).items).toBe(1802);
  });

  it('keeps transactions whole and in order though pages of the outbox cut through them', {
    timeout: 60_000,
  }, async () => {
    const seed = chooseSeed();
    console.info(`SEED=${seed}`);
    const random = seededRandom(seed);
    const store = await openStore(made.url);
    const writers = Array.from({ length: 4 }, () => postgres(made.url, { max: 1, onnotice: () => undefined }));
    try {
      let id = 0;
      // Transactions that overlap, of 1 to 12 changes each, in one sequence of ids.
      const open = new Map<postgres.Sql, number>();
      while (id < 150 || open.size > 0) {
        const sql = writers[Math.floor(random() * writers.length)]!;
        const left = open.get(sql);
        if (left === undefined) {
          if (id >= 150) continue;
          await sql`begin`;
          open.set(sql, 1 + Math.floor(random() ** 3 * 12));
        } else if (left > 0) {
          id += 1;
          await sql`insert into items values (${id}, 'x')`;
          open.set(sql, left - 1);
        } else {
          await sql`commit`;
          open.delete(sql);
        }
      }
      const expected = await made.sql`select xact::text, max(id) as last from sluice.changes group by 1 order by 2`;
      for (;;) {
        const { transactions, next } = await planMove(store.database, captures, 0, 5);
        if (transactions.length === 0) break;
        const waiting =
          await made.sql`select min(id)::int as id from sluice.changes where xact <> all (${transactions.map(({ xact }) => xact)}::text[]::xid8[])`;
        expect(next).toBeLessThanOrEqual(waiting[0]!['id'] ?? Number.POSITIVE_INFINITY);
        await store.database.transaction((transaction) =>
          moveTransactions(transaction, transactions, { targets: targetsOf(captures), epochOf: store.epochOf }),
        );
      }
      const changes = await readChanges(store.log, 'items');
      const order = changes.map(({ xact }) => xact).filter((xact, index, all) => xact !== all[index - 1]);
      expect(order).toEqual(expected.map(({ xact }) => xact));
      expect(changes.length).toBe(id);
    } finally {
      await Promise.all(writers.map((sql) => sql.end({ timeout: 1 })));
      await store.close();
    }
  });

  it('sleeps after a second without changes, and is woken by the hint of a writer', async () => {
    const sql = postgres(made.url, { max: 1, onnotice: () => undefined });
    let hints = 0;
    let hint = () => {};
    await sql.listen('sluice_capture', () => {
      hints += 1;
      hint();
    });
    const relay = await begin({
      listen(wake) {
        hint = wake;
        return () => {
          hint = () => {};
        };
      },
    });
    for (let id = 1; id <= 3; id += 1) {
      await until('it sleeps', isAsleep);
      await pause(400);
      await made.sql.begin(async (writer) => {
        await writer`insert into items values (${id * 10}, 'x'), (${id * 10 + 1}, 'y')`;
        await writer`update items set value = 'z'`;
      });
      const written = performance.now();
      await until('the change is told', () =>
        relay.told.some(({ batch }) => batch.bodies.some((body) => body.includes(`"id":${id * 10},`))),
      );
      expect(performance.now() - written).toBeLessThan(200);
      expect(hints).toBe(id);
      expect(await isAsleep()).toBe(false);
      // Who writes while it is awake does not hint.
      await add(id * 10 + 2);
      await moved(relay);
      expect(hints).toBe(id);
    }
    await sql.end({ timeout: 1 });
  });

  it('finds within half a second what nobody hinted', async () => {
    const relay = await begin();
    await until('it sleeps', isAsleep);
    await pause(1500);
    await add(1);
    const written = performance.now();
    await moved(relay);
    expect(performance.now() - written).toBeLessThan(500);
  });

  it('leaves changes that no target takes, says how many they are, and moves them when there is one', async () => {
    await add(1);
    await made.sql`insert into notes values (1, 'x'), (2, 'y')`;
    let targets: ReadonlyMap<number, RelayTarget> = targetsOf(captures.slice(0, 1));
    const relay = await begin({ targets: () => targets });
    await until('the item is moved', async () => (await endsOf(relay.store.database)).items === 1);
    expect(relay.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      { capture: captures[1], table: 'notes', changes: 2 },
    ]);
    for (let id = 2; id <= 600; id += 1) await add(id);
    await until('the items are moved', async () => (await endsOf(relay.store.database)).items === 600);
    targets = targetsOf(captures);
    await moved(relay);
    expect(await endsOf(relay.store.database)).toEqual({ items: 600, notes: 2 });
  });

  it('deletes the changes of a table that is no longer captured', async () => {
    await made.sql`insert into notes values (1, 'x')`;
    await made.sql`delete from sluice.captures where id = ${captures[1]!}`;
    const relay = relayOn(await openStore(made.url), captures.slice(0, 1));
    relays.push(relay);
    relay.start();
    await moved(relay);
    expect(await endsOf(relay.store.database)).toEqual({ items: 0, notes: 0 });
  });

  it('without targets leaves the lease to others', async () => {
    const relay = await begin({ targets: () => new Map() });
    const other = await begin();
    await until('the other is active', () => other.active);
    expect(relay.active).toBe(false);
  });

  it('holds a table back at a change that cannot become an event, says which, and goes on when it can', async () => {
    let broken = true;
    const targets = new Map(
      Array.from(targetsOf(captures), ([capture, target]) => [
        capture,
        {
          topic: target.topic,
          toBodies(change: Parameters<RelayTarget['toBodies']>[0]) {
            if (broken && change.new?.includes('poison')) throw new TypeError('no key');
            return target.toBodies(change);
          },
        },
      ]),
    );
    const relay = await begin({ targets: () => targets });
    await add(1, 'poison');
    await until('it says so', () => relay.lines.some(({ level }) => level === 'error'));
    const { fields } = relay.lines.find(({ level }) => level === 'error')!;
    expect((fields['error'] as Error).message).toBe(
      `change 1 of capture ${captures[0]} cannot become an event of items`,
    );
    // Those of other tables do not wait for it, be they moved by the relay or by who wants a snapshot.
    await made.sql`insert into notes values (1, 'x')`;
    await until('the note is moved', async () => (await endsOf(relay.store.database)).notes === 1);
    const other = relayOn(await openStore(made.url), captures, { targets: () => targets });
    relays.push(other);
    await made.sql`insert into notes values (2, 'x')`;
    await other.drained(captures.slice(1), async () => undefined);
    await expect(other.drained(captures.slice(0, 1), async () => undefined)).rejects.toThrow('too many changes wait');
    expect(await endsOf(relay.store.database)).toEqual({ items: 0, notes: 2 });
    broken = false;
    await moved(relay);
    expect(await endsOf(relay.store.database)).toEqual({ items: 1, notes: 2 });
  });

  it('goes on by itself after the database was away', { timeout: 60_000 }, async () => {
    const { hostname, port } = new URL(made.url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port || 5432) });
    const url = new URL(made.url);
    url.port = String(proxy.port);
    const relay = await begin({}, url.href);
    try {
      await until('it is active', () => relay.active);
      for (const away of [() => proxy.refuse(), () => proxy.cut()]) {
        away();
        await add(relay.lines.length);
        await pause(700);
        await proxy.mend();
        await until('the outbox is empty', async () => (await made.sql`select from sluice.changes`).length === 0);
      }
    } finally {
      await relay.stop();
      await proxy.mend();
    }
  });
});
