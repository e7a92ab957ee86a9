/**
 * Views against a model: a table whose changes reach the log late, another table on which visibility depends, and readers who come,
 * go, stop reading and come back. At every quiet point each reader holds what the caller can see, and no reader was ever told a key
 * that the caller could never see.
 */
import { expect, it, onTestFinished } from 'vitest';
import type { Subscription } from '../../src/broker/broker.ts';
import { readPage } from '../../src/broker/event-page.ts';
import { LocalBroker } from '../../src/broker/local-broker.ts';
import type { Projection } from '../../src/broker/selection.ts';
import { createLocalBus } from '../../src/bus/local.ts';
import type { EventBatch, LogEvent } from '../../src/protocol/event-batch.ts';
import { RowView } from '../../src/records/row-view.ts';
import { DEPENDENCY_TYPE } from '../../src/records/seen-change.ts';
import { ViewReader } from '../../src/records/view-reader.ts';
import type { SeenRow, ViewSource } from '../../src/records/view-source.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import { chooseSeed, seededRandom } from '../support/random.ts';
import { until } from '../support/until.ts';

const TOPIC = 'things';
const KEYS = Array.from({ length: 12 }, (_, n) => `k${n}`);
const TEAMS = ['red', 'blue', 'green'];

interface Row {
  readonly team: string;
  readonly version: number;
  readonly n: number;
}

/** A table and its log, as slow as its relay. */
class World {
  readonly rows = new Map<string, Row>();
  readonly teams = new Set<string>(['red']);
  /** Every key that the caller could see at some moment. */
  readonly shown = new Set<string>();
  readonly store = createMemoryStore({});
  readonly broker = new LocalBroker({ log: this.store.log, bus: createLocalBus(), tailCheckMs: 5 });
  readonly #waiting: { type: string; key?: string; data: unknown }[] = [];
  readonly #filtering: Filtering;
  #busy = false;
  #moved = 0;
  #moving: Promise<unknown> = Promise.resolve();

  constructor(filtering: Filtering) {
    this.#filtering = filtering;
  }

  sees(row: Row): boolean {
    return this.teams.has(row.team) && this.#filtering.wants(row);
  }

  visible(): Map<string, number> {
    return new Map([...this.rows].filter(([, row]) => this.sees(row)).map(([key, { n }]) => [key, n]));
  }

  note(event: { type: string; key?: string; data: unknown }): void {
    this.#waiting.push(event);
    for (const key of this.visible().keys()) this.shown.add(key);
  }

  /** Moves what waits into the log, or a part of it. */
  move(most = Number.POSITIVE_INFINITY): Promise<unknown> {
    this.#moving = this.#moving.then(async () => {
      const events = this.#waiting.splice(0, most);
      this.#busy = true;
      if (events.length > 0) await this.broker.publish(TOPIC, events);
      this.#moved += events.length;
      this.#busy = false;
    });
    return this.#moving;
  }

  seen(keys: Iterable<string>): SeenRow[] {
    return [...keys].flatMap((key) => {
      const row = this.rows.get(key);
      if (row === undefined || !this.sees(row)) return [];
      const record = JSON.stringify({ key, ...row });
      return [{ key, record, version: row.version, token: `${row.version} ${record}` }];
    });
  }

  source(): ViewSource {
    return {
      topic: TOPIC,
      readAll: async () => {
        // As in a snapshot with nothing on its way: what is read and the log's end are of one moment.
        for (;;) {
          await this.move();
          const [range] = await this.store.log.ranges([TOPIC]);
          if (this.#waiting.length === 0 && !this.#busy && range?.latest === this.#moved)
            return {
              epoch: range.epoch,
              seq: range.latest,
              rows: new Map(this.seen(this.rows.keys()).map(({ key, token }) => [key, token])),
            };
        }
      },
      read: async (keys) => {
        await Promise.resolve();
        // The waiting are counted as they are taken, so what is being moved is on its way too.
        const exact = this.#waiting.length === 0 && !this.#busy;
        const rows = new Map(this.seen(keys).map((row) => [row.key, row]));
        return { rows, latest: this.#moved, exact };
      },
      events: async (after, upTo) => {
        const page = await readPage(this.store.log, TOPIC, after, 100_000);
        const { project } = this.#filtering.interest ?? { project: (event) => event };
        return { kind: 'events', events: page.events.filter((event) => event.seq <= upTo && project(event)) };
      },
      latest: async () => (await this.store.log.ranges([TOPIC]))[0]?.latest ?? 0,
    };
  }
}

/** A client: it keeps what it is told, and reads the list again when it is told of a gap. */
class Client {
  state = new Map<string, number>();
  readonly told = new Set<string>();
  ready = true;
  gaps = 0;
  caughtUps = 0;
  cursor: string | undefined;
  lost = false;
  subscription: Subscription | undefined;

  deliver(batch: EventBatch): void {
    for (const event of batch.events) {
      const { key = '', type, id } = event;
      this.told.add(key);
      if (type === 'delete') this.state.delete(key);
      else this.state.set(key, (event.data as { new: { n: number } }).new.n);
      this.cursor = id;
    }
  }

  gap(): void {
    this.gaps += 1;
    this.lost = true;
  }

  caughtUp(): void {
    this.caughtUps += 1;
  }
}

/** Whether the readers want a row, and the events of the log that can matter to them. */
interface Filtering {
  readonly wants: (row: Row) => boolean;
  readonly interest: Projection | undefined;
}

const EVERYTHING: Filtering = { wants: () => true, interest: undefined };

function only(wants: (row: Row) => boolean): Filtering {
  const matters = ({ type, data }: LogEvent): boolean => {
    const { old, new: row } = data as { readonly old?: Row; readonly new?: Row };
    return type === DEPENDENCY_TYPE || [old, row].some((each) => each !== undefined && wants(each));
  };
  return { wants, interest: { name: 'some', project: (event) => (matters(event) ? event : undefined) } };
}

it.each([
  ['', EVERYTHING],
  [' and wants, where few changes matter', only(({ n }) => n % 5 === 0)],
])(
  'keeps every reader at what the caller can see%s, and tells no key that they never could',
  async (_, filtering) => {
    const seed = chooseSeed();
    const random = seededRandom(seed);
    const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;
    const world = new World(filtering);
    const faults: unknown[] = [];
    const view = new RowView({
      view: 'a view',
      source: world.source(),
      interest: filtering.interest,
      broker: world.broker,
      // Whoever came before a change of the teams may have come between it and its event.
      now: () => 0,
      onFault: (error) => faults.push(error),
      onEnd: () => {},
    });
    onTestFinished(async () => {
      view.close();
      await world.broker.close();
    });
    await view.load();
    const clients = new Set<Client>();
    let n = 0;

    const change = (): void => {
      const key = pick(KEYS);
      const row = world.rows.get(key);
      n += 1;
      if (row === undefined) {
        const made = { team: pick(TEAMS), version: 1, n };
        world.rows.set(key, made);
        world.note({ type: 'insert', key, data: { new: made, version: 1 } });
      } else if (random() < 0.3) {
        world.rows.delete(key);
        world.note({ type: 'delete', key, data: { old: row, version: row.version } });
      } else {
        const next = { team: random() < 0.3 ? pick(TEAMS) : row.team, version: row.version + 1, n };
        world.rows.set(key, next);
        world.note({ type: 'update', key, data: { new: next, old: row, version: next.version } });
      }
    };

    const toggle = (): void => {
      const team = pick(TEAMS);
      if (!world.teams.delete(team)) world.teams.add(team);
      world.note({ type: DEPENDENCY_TYPE, data: { table: 'teams' } });
    };

    /** Reads the list, and the stream from its cursor. */
    const refetch = async (client: Client): Promise<void> => {
      client.subscription?.close();
      const all = await world.source().readAll(1000);
      const rows = world.seen(all.rows.keys());
      client.state = new Map(rows.map(({ key, record }) => [key, (JSON.parse(record) as Row).n]));
      for (const { key } of rows) client.told.add(key);
      client.lost = false;
      connect(client, all.seq);
    };

    const connect = (client: Client, seq: number): void => {
      const reader = new ViewReader(view, { epoch: view.position.epoch, seq });
      client.subscription = reader;
      reader.start(client);
    };

    const settle = async (): Promise<void> => {
      await world.move();
      for (const client of clients) {
        if (!client.ready) {
          client.ready = true;
          client.subscription?.resume();
        }
      }
      for (;;) {
        const latest = await world.source().latest();
        const isThere = ({ lost, subscription }: Client) =>
          lost || (subscription?.live === true && subscription.position.seq === latest);
        await until(`everybody is at the end (SEED=${seed})`, () => [...clients].every(isThere));
        const lost = [...clients].filter((client) => client.lost);
        if (lost.length === 0) break;
        for (const client of lost) await refetch(client);
      }
    };

    try {
      for (let step = 0; step < 3000; step += 1) {
        const chance = random();
        if (chance < 0.5) change();
        else if (chance < 0.53) toggle();
        else if (chance < 0.65) await world.move(1 + Math.floor(random() * 4));
        else if (chance < 0.72 && clients.size < 8) {
          const client = new Client();
          clients.add(client);
          await refetch(client);
        } else if (chance < 0.76) {
          const client = pick([...clients]);
          if (client !== undefined) {
            client.subscription?.close();
            clients.delete(client);
          }
        } else if (chance < 0.82) {
          // A cut: it comes back with the cursor that it had.
          const client = pick([...clients]);
          if (client?.subscription !== undefined && !client.lost) {
            const { seq } = client.subscription.position;
            client.subscription.close();
            connect(client, seq);
          }
        } else if (chance < 0.88) {
          const client = pick([...clients]);
          if (client !== undefined) {
            client.ready = !client.ready;
            if (client.ready) client.subscription?.resume();
          }
        } else if (chance < 0.93) await new Promise((resolve) => setImmediate(resolve));
        else if (chance < 0.95) {
          await settle();
          const expected = world.visible();
          for (const client of clients) {
            expect([...client.state].sort()).toEqual([...expected].sort());
            for (const key of client.told) expect(world.shown).toContain(key);
          }
        }
      }
      expect(faults).toEqual([]);
    } catch (error) {
      console.error(`SEED=${seed}`);
      throw error;
    }
  },
  60_000,
);
