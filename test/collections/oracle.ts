/**
 * Collections against the database itself: random transactions on two tables, readers with different rights, who are cut,
 * come back and change their tokens, and relays that are killed. At every quiet point each reader holds what `SELECT` gives under their
 * own claims, and no key that they could not see was ever on their wire.
 */
import { expect, it } from 'vitest';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { Reader, type Wish } from './reader.ts';
import type { System } from './system.ts';

const KEYS = Array.from({ length: 14 }, (_, n) => `k${n}`);
const TEAMS = ['red', 'blue', 'green'];
const PEOPLE = ['ann', 'bob', 'cy'];
const LEVELS = [1, 2, 3];

const WISHES: readonly Wish[] = [
  { filters: [], sql: 'true' },
  { filters: ['team=eq.red'], sql: `team = 'red'` },
  { filters: ['level=gte.2', 'team=in.(red,blue)'], sql: `level >= 2 AND team IN ('red', 'blue')` },
  { filters: ['title=lt.t5'], sql: `title COLLATE "C" < 't5'` },
];

/** What a reader may see, asked of the database in another way than the server does. */
const MAY_SEE: Readonly<Record<string, string>> = {
  docs: `owner = $1 OR (level <= $2 AND team IN (SELECT team FROM memberships WHERE member = $1))`,
  'docs:owned': 'owner = $1 AND $2::int IS NOT NULL',
  'docs:all': '$1::text IS NOT NULL AND $2::int IS NOT NULL',
};

export interface OracleOptions<Tested extends System> {
  /** Opens a system with the tables of `oracle-tables.ts`. */
  readonly open: () => Promise<Tested>;
  readonly steps: number;
  /** What else may happen to it, now and then. */
  readonly disturb?: (system: Tested, below: (n: number) => number) => Promise<void>;
}

/** Registers the test. */
export function oracle<Tested extends System>({ open, steps, disturb }: OracleOptions<Tested>): void {
  it('keep every reader at what SELECT gives them, and show no key that they could not see', async () => {
    const seed = chooseSeed();
    const random = seededRandom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const pick = <Value>(values: readonly Value[]): Value => values[below(values.length)]!;
    const system = await open();
    const readers: Reader[] = [];
    /** By collection, person and level: every key that they could see at some moment. */
    const visible = new Map<string, Set<string>>();

    const noteVisible = async (): Promise<void> => {
      for (const [name, condition] of Object.entries(MAY_SEE))
        for (const sub of PEOPLE)
          for (const level of LEVELS) {
            const of = `${name} ${sub} ${level}`;
            const keys = visible.get(of) ?? new Set();
            visible.set(of, keys);
            for (const { id } of await system.sql.unsafe(`SELECT id FROM docs WHERE ${condition}`, [sub, level]))
              keys.add(id);
          }
    };

    /** One to four statements, of which some are undone. */
    const transact = async (): Promise<void> => {
      await system.sql
        .begin(async (sql) => {
          for (let left = 1 + below(4); left > 0; left -= 1) {
            const id = pick(KEYS);
            const chance = random();
            if (chance < 0.3)
              await sql`INSERT INTO docs VALUES (${id}, ${pick(TEAMS)}, ${pick(PEOPLE)}, ${pick(LEVELS)}, ${`t${below(1000)}`})
                        ON CONFLICT (id) DO UPDATE SET title = excluded.title, team = excluded.team`;
            else if (chance < 0.5) await sql`UPDATE docs SET title = ${`t${below(1000)}`} WHERE id = ${id}`;
            else if (chance < 0.62)
              await sql`UPDATE docs SET level = ${pick(LEVELS)}, owner = ${pick(PEOPLE)} WHERE id = ${id}`;
            else if (chance < 0.74) await sql`DELETE FROM docs WHERE id = ${id}`;
            else if (chance < 0.8) {
              const other = pick(KEYS);
              await sql`UPDATE docs SET id = ${other} WHERE id = ${id} AND NOT EXISTS (SELECT FROM docs WHERE id = ${other})`;
            } else if (chance < 0.9)
              await sql`DELETE FROM memberships WHERE member = ${pick(PEOPLE)} AND team = ${pick(TEAMS)}`;
            else await sql`INSERT INTO memberships VALUES (${pick(PEOPLE)}, ${pick(TEAMS)}) ON CONFLICT DO NOTHING`;
          }
          if (random() < 0.15) throw new Error('undone');
        })
        .catch((error: Error) => {
          if (error.message !== 'undone') throw error;
        });
      await noteVisible();
    };

    const check = async (): Promise<void> => {
      for (const reader of readers) {
        const expected = await system.sql.unsafe(
          `SELECT id, title FROM docs WHERE (${MAY_SEE[reader.collection]}) AND ${reader.wish.sql} ORDER BY id`,
          [reader.sub, reader.level],
        );
        const wanted = JSON.stringify(expected.map(({ id, title }) => [id, title]));
        await reader.becomes(wanted, `SEED=${seed}`);
        const shown = visible.get(`${reader.collection} ${reader.sub} ${reader.level}`);
        for (const key of reader.keysOfLevel())
          if (shown?.has(key) !== true)
            throw new Error(`${reader.describe()} was told of ${key}, SEED=${seed}\n${reader.trace}`);
      }
    };

    try {
      await system.sql`INSERT INTO memberships SELECT 'ann', 'red'`;
      for (const name of Object.keys(MAY_SEE))
        for (const sub of PEOPLE)
          for (const wish of [WISHES[0]!, pick(WISHES.slice(1))])
            readers.push(new Reader(system, name, sub, pick(LEVELS), readers.length % 2, wish));
      await noteVisible();
      await Promise.all(readers.map((reader) => reader.begin()));
      for (let step = 0; step < steps; step += 1) {
        const chance = random();
        const reader = pick(readers);
        if (chance < 0.7) await transact();
        else if (chance < 0.78) reader.cut();
        else if (chance < 0.84) await reader.changeLevel(pick(LEVELS));
        else if (chance < 0.86) await reader.restart();
        else if (chance < 0.865) await system.cutConnections();
        else if (chance < 0.868) await system.restartNode(below(2));
        else if (chance < 0.876) await disturb?.(system, below);
        else if (chance < 0.9) await new Promise((resolve) => setTimeout(resolve, below(20)));
        else if (chance < 0.92) await check();
      }
      await check();
      expect(system.faults).toEqual([]);
    } catch (error) {
      console.error(`SEED=${seed}`);
      throw error;
    } finally {
      for (const reader of readers) reader.end();
      await system.close();
    }
  }, 280_000);
}
