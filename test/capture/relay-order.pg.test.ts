import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { pause, until } from '../support/until.ts';
import {
  captureTables,
  isOutboxEmpty,
  openStore,
  readChanges,
  relayOn,
  replay,
  rowsOf,
  TABLES,
  type TestRelay,
} from './relay-harness.ts';
import { type Committed, write } from './relay-writers.ts';

const WRITERS = 6;
const TRANSACTIONS = 400;

describe.skipIf((await findPostgres()) === undefined)('relays among writers of every kind', () => {
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
    for (const relay of relays.splice(0)) await end(relay);
    await made.drop();
    expect(faults.splice(0)).toEqual([]);
  });

  async function begin(): Promise<TestRelay> {
    const relay = relayOn(await openStore(made.url), captures);
    relays.push(relay);
    relay.start();
    return relay;
  }

  async function end(relay: TestRelay): Promise<void> {
    await relay.stop();
    await relay.store.close();
  }

  /** Cuts all connections of all relays, whatever they are at. */
  const cut = () =>
    made.sql`select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'sluice'`;

  async function check(committed: readonly Committed[]): Promise<void> {
    const { log, database } = (await begin()).store;
    await until('everything is moved', () => isOutboxEmpty(database));
    const byXact = new Map(committed.map((transaction) => [transaction.xact, transaction]));
    for (const table of TABLES) {
      const changes = await readChanges(log, table);
      const mutations = (list: readonly { readonly mutation: string | null }[]) =>
        list.map(({ mutation }) => mutation).toSorted();
      // Each committed change once, and nothing else.
      const made = committed.flatMap((transaction) => transaction.changes.filter((change) => change.table === table));
      expect(mutations(changes)).toEqual(mutations(made));
      expect(changes.map(({ seq }) => seq)).toEqual(changes.map((_, index) => index + 1));
      // Each row's changes in their order, and so as the table has them now.
      expect(replay(changes)).toEqual(await rowsOf(database, table));
      // Each transaction in one piece.
      const order = changes.map(({ xact }) => xact).filter((xact, index, all) => xact !== all[index - 1]);
      expect(new Set(order).size).toBe(order.length);
      // Cause before effect.
      let latestLast = Number.NEGATIVE_INFINITY;
      for (const xact of order) {
        const { lastBegun, acknowledged } = byXact.get(xact)!;
        expect(acknowledged, `${xact} stands behind one that could have seen it`).toBeGreaterThan(latestLast);
        latestLast = Math.max(latestLast, lastBegun);
      }
    }
    // What the relays told is what the log has.
    for (const { told } of relays) {
      for (const { topic, batch } of told) {
        const page = await log.read(topic, batch.first - 1, 1);
        expect(batch.epoch).toBe(page.epoch);
        expect(
          page.batches.flatMap(({ first, bodies }) => bodies.slice(batch.first - first)).slice(0, batch.bodies.length),
        ).toEqual(batch.bodies);
      }
    }
  }

  async function storm(seed: number, trouble: (random: () => number, goesOn: () => boolean) => Promise<void>) {
    let written = 0;
    const goesOn = () => written < TRANSACTIONS;
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      write({
        url: made.url,
        name: `${writer}`,
        random: seededRandom(seed + writer),
        ids: 8,
        goesOn: () => {
          written += 1;
          return goesOn();
        },
      }),
    );
    await Promise.all([...writers, trouble(seededRandom(seed - 1), goesOn)]);
    return (await Promise.all(writers)).flat();
  }

  it('move every committed change once, rows in order, transactions whole, cause before effect', {
    timeout: 120_000,
  }, async () => {
    const seed = chooseSeed();
    console.info(`SEED=${seed}`);
    await begin();
    await begin();
    await check(await storm(seed, async () => undefined));
  });

  it('do so while they are killed, cut off and closed at any moment', { timeout: 120_000 }, async () => {
    const seed = chooseSeed();
    console.info(`SEED=${seed}`);
    await begin();
    await begin();
    const committed = await storm(seed, async (random, goesOn) => {
      while (goesOn()) {
        await pause(random() * 120);
        if (random() < 0.6) await cut();
        else {
          const [first] = relays.splice(0, 1);
          await Promise.all([end(first!), begin()]);
        }
      }
    });
    await check(committed);
  });

  it('do so with a backlog that was written while there was none', { timeout: 120_000 }, async () => {
    const seed = chooseSeed();
    console.info(`SEED=${seed}`);
    const committed = await storm(seed, async () => undefined);
    await begin();
    await check(committed);
  });
});
