/** Captured tables, relays over them, and the log that comes of it. */

import type { MovedBatch } from '../../src/broker/local-broker.ts';
import { addCapture } from '../../src/capture/add-capture.ts';
import type { Change, RelayTarget } from '../../src/capture/change.ts';
import { createRelay, type Relay, type RelayOptions } from '../../src/capture/relay.ts';
import { encodeEventBody } from '../../src/protocol/event.ts';
import type { Database, Transaction } from '../../src/store/postgres/database.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore, type PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { LogStore } from '../../src/store/store.ts';

export const TABLES = ['items', 'notes'] as const;
export type Table = (typeof TABLES)[number];

/** A row of either table. */
export interface Row {
  readonly id: number;
  readonly value: string;
  readonly version: number;
}

/** What the log says of a change here. */
export interface LoggedChange {
  readonly xact: string;
  readonly operation: 'I' | 'U' | 'D';
  readonly old: Row | null;
  readonly new: Row | null;
  readonly mutation: string | null;
}

/** Makes the tables, and has their changes captured. @returns the captures' ids, in the order of `TABLES` */
export async function captureTables(database: Pick<Database, 'query' | 'transaction'>): Promise<readonly number[]> {
  const captures: number[] = [];
  for (const table of TABLES) {
    await database.query(
      `CREATE TABLE ${table} (id int PRIMARY KEY, value text NOT NULL, version int NOT NULL DEFAULT 1)`,
    );
    const added = await addCapture(database, table);
    if (!added.ok) throw new Error(JSON.stringify(added.findings));
    captures.push(added.capture.id);
  }
  return captures;
}

/** Each table's changes go to the topic of its name. */
export function targetsOf(captures: readonly number[]): ReadonlyMap<number, RelayTarget> {
  return new Map(
    captures.map((capture, index) => [capture, { topic: TABLES[index] ?? `more:${index}`, toBodies: toBodies }]),
  );
}

function toBodies({ transaction, operation, old, new: fresh, mutation }: Change): readonly string[] {
  const data: LoggedChange = {
    xact: transaction,
    operation,
    old: old === null ? null : JSON.parse(old),
    new: fresh === null ? null : JSON.parse(fresh),
    mutation,
  };
  return [encodeEventBody({ type: 'change', data })];
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export interface TestRelay extends Relay {
  readonly store: PostgresStore;
  readonly lines: readonly LogLine[];
  readonly told: readonly { readonly topic: string; readonly batch: MovedBatch }[];
}

/** A relay on a store. It is not started. */
export function relayOn(
  store: PostgresStore,
  captures: readonly number[],
  options: Partial<RelayOptions> = {},
): TestRelay {
  const lines: LogLine[] = [];
  const told: { topic: string; batch: MovedBatch }[] = [];
  const write = (level: string) => (fields: object, text: string) =>
    void lines.push({ level, fields: { ...fields }, text });
  const targets = targetsOf(captures);
  const relay = createRelay({
    store,
    targets: () => targets,
    node: 'test',
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    onMoved: (topic, batch) => void told.push({ topic, batch }),
    ...options,
  });
  return {
    start: relay.start,
    kick: relay.kick,
    get active() {
      return relay.active;
    },
    drained: relay.drained,
    stop: relay.stop,
    store,
    lines,
    told,
  };
}

export async function openStore(url: string, connections = 6): Promise<PostgresStore> {
  return createPostgresStore(await connectPostgres({ url, connections }), { schedule: setImmediate });
}

/** All of a topic's events up to a seq, in order. */
export async function readChanges(log: LogStore, topic: string, upTo = Number.POSITIVE_INFINITY) {
  const changes: (LoggedChange & { readonly seq: number })[] = [];
  for (let after = 0; ; ) {
    const page = await log.read(topic, after, 1000);
    for (const { first, bodies } of page.batches)
      for (const [index, body] of bodies.entries())
        if (first + index > after && first + index <= upTo)
          changes.push({ ...(JSON.parse(`{${body}`) as { data: LoggedChange }).data, seq: first + index });
    const end = page.batches.at(-1);
    if (end === undefined || end.first + end.bodies.length > upTo) return changes;
    after = end.first + end.bodies.length - 1;
  }
}

/** Where the topics end, as a transaction sees it. */
export async function endsOf(by: Transaction): Promise<Readonly<Record<Table, number>>> {
  const rows = await by.query<{ readonly name: Table; readonly latest: number }>(
    'SELECT name, latest FROM sluice.topics',
  );
  const ends = new Map(rows.map(({ name, latest }) => [name, latest]));
  return { items: ends.get('items') ?? 0, notes: ends.get('notes') ?? 0 };
}

/** The rows that changes lead to. Fails where a change does not begin at what the one before it on its row led to. */
export function replay(changes: readonly LoggedChange[]): readonly Row[] {
  const rows = new Map<number, Row>();
  for (const change of changes) {
    const id = (change.new ?? change.old)?.id ?? Number.NaN;
    const before = rows.get(id) ?? null;
    if (JSON.stringify(before) !== JSON.stringify(change.old))
      throw new Error(`${JSON.stringify(change)} does not follow ${JSON.stringify(before)}`);
    if (change.new === null) rows.delete(id);
    else rows.set(id, change.new);
  }
  return [...rows.values()].toSorted((a, b) => a.id - b.id);
}

/** The rows of a table now, or in a transaction. */
export async function rowsOf(by: Transaction, table: Table): Promise<readonly Row[]> {
  const [row] = await by.query<{ readonly rows: string }>(
    `SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY id), '[]')::text AS rows FROM ${table} t`,
  );
  return JSON.parse(row?.rows ?? '[]') as Row[];
}

export async function isOutboxEmpty(by: Transaction): Promise<boolean> {
  const [row] = await by.query<{ readonly empty: boolean }>('SELECT NOT EXISTS (SELECT FROM sluice.changes) AS empty');
  return row?.empty ?? false;
}
