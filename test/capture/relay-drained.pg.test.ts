import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { pause } from '../support/until.ts';
import {
  captureTables,
  endsOf,
  openStore,
  readChanges,
  relayOn,
  replay,
  rowsOf,
  TABLES,
  type TestRelay,
} from './relay-harness.ts';
import { write } from './relay-writers.ts';

const LOOKS = 60;

describe.skipIf((await findPostgres()) === undefined)('a drained look', () => {
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

  async function node(): Promise<TestRelay> {
    const relay = relayOn(await openStore(made.url), captures);
    relays.push(relay);
    return relay;
  }

  const fill = (count: number) => made.sql`insert into items select i, 'x' from generate_series(1, ${count}) i`;

  const ways: Record<string, () => Promise<TestRelay>> = {
    'on the node of the active relay': async () => {
      const relay = await node();
      relay.start();
      return relay;
    },
    'on a node whose relay waits for its turn': async () => {
      (await node()).start();
      const relay = await node();
      relay.start();
      return relay;
    },
    'where no relay runs at all': node,
  };
  for (const [name, way] of Object.entries(ways)) {
    it(`sees the tables as the log's end says, under a storm of writers, ${name}`, { timeout: 120_000 }, async () => {
      const seed = chooseSeed();
      console.info(`SEED=${seed}`);
      const relay = await way();
      let looking = true;
      const writers = Array.from({ length: 5 }, (_, writer) =>
        write({
          url: made.url,
          name: `${writer}`,
          random: seededRandom(seed + writer),
          ids: 12,
          goesOn: () => looking,
        }),
      );
      const random = seededRandom(seed - 1);
      const looks: Awaited<ReturnType<typeof look>>[] = [];
      const look = () =>
        relay.drained(captures, async (transaction) => ({
          items: await rowsOf(transaction, 'items'),
          ends: await endsOf(transaction),
          notes: await rowsOf(transaction, 'notes'),
        }));
      for (let count = 0; count < LOOKS; count += 3) {
        looks.push(...(await Promise.all([look(), look(), look()])));
        await pause(random() * 20);
      }
      looking = false;
      await Promise.all(writers);
      for (const table of TABLES) {
        const changes = await readChanges(relay.store.log, table);
        for (const { ends, ...rows } of looks)
          expect(rows[table]).toEqual(replay(changes.filter(({ seq }) => seq <= ends[table])));
      }
      expect(looks.at(-1)?.ends.items).toBeGreaterThan(0);
    });
  }

  it('moves what waits when nobody else does, and tells what it moved', async () => {
    const relay = await node();
    await fill(4000);
    const ends = await relay.drained(captures, endsOf);
    expect(ends).toEqual({ items: 4000, notes: 0 });
    expect(relay.told.flatMap(({ batch }) => batch.bodies).length).toBe(4000);
  });

  it('leaves a large backlog to the relay, and says so when that does not come', async () => {
    const relay = await node();
    await fill(5001);
    const work = () => Promise.reject(new Error('ran'));
    await expect(relay.drained(captures, work)).rejects.toBeInstanceOf(StoreUnavailable);
    (await node()).start();
    expect(await relay.drained(captures, endsOf)).toEqual({ items: 5001, notes: 0 });
  });

  it('asks only for the captures named', async () => {
    const relay = relayOn(await openStore(made.url), captures.slice(0, 1));
    relays.push(relay);
    await made.sql`insert into notes values (1, 'of no target here')`;
    await made.sql`insert into items values (1, 'x')`;
    expect(await relay.drained(captures.slice(0, 1), endsOf)).toEqual({ items: 1, notes: 0 });
  });

  it('undoes what it moved when the work fails, throws what the work threw, and runs it once', async () => {
    const relay = await node();
    await fill(3);
    let runs = 0;
    const work = async () => {
      runs += 1;
      throw new RangeError('of the work');
    };
    await expect(relay.drained(captures, work)).rejects.toBeInstanceOf(RangeError);
    expect(runs).toBe(1);
    expect(relay.told).toEqual([]);
    expect(await relay.drained(captures, endsOf)).toEqual({ items: 3, notes: 0 });
  });

  it('lets the work end as another role', async () => {
    const role = `sluice_reader_${made.name}`;
    await made.sql.unsafe(`create role ${role}`);
    try {
      await made.sql.unsafe(`grant select on items to ${role}`);
      const relay = await node();
      await fill(2);
      const rows = await relay.drained(captures, async (transaction) => {
        await transaction.query(`SET LOCAL ROLE ${role}`);
        return rowsOf(transaction, 'items');
      });
      expect(rows.length).toBe(2);
    } finally {
      await made.sql.unsafe(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
