/** Runs tests of the capture on a database of each kind: embedded, and on a server where there is one. */
import { afterAll, beforeAll, describe } from 'vitest';
import type { Database, Parameter } from '../../src/store/postgres/database.ts';
import { openPglite } from '../../src/store/postgres/pglite.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createDatabase, findPostgres, type TestDatabase } from '../support/postgres-database.ts';

/** A change as it waits in the outbox, its images as text. */
export interface Waiting {
  readonly operation: string;
  readonly old: string | null;
  readonly new: string | null;
  readonly xact: string;
  readonly capture: number;
  readonly actor: string | null;
  readonly mutation: string | null;
}

export interface Bench {
  readonly database: Database;
  /** `undefined` for the embedded one. */
  readonly server: TestDatabase | undefined;
  /** Runs statements, one after another. */
  run(...statements: readonly string[]): Promise<void>;
  ask<Row>(text: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
  /** Takes what waits in the outbox. */
  take(): Promise<readonly Waiting[]>;
}

const server = await findPostgres();

export function describeDatabases(title: string, tests: (bench: () => Bench) => void): void {
  describe(`${title}, embedded`, () => withBench(async () => ({ database: await openPglite() }), tests));
  describeServer(`${title}, on a server`, tests);
}

export function describeServer(title: string, tests: (bench: () => Bench) => void): void {
  describe.skipIf(server === undefined)(title, () =>
    withBench(async () => {
      const made = await createDatabase();
      return { server: made, database: await connectPostgres({ url: made.url, timeoutMs: 30_000 }) };
    }, tests),
  );
}

function withBench(
  open: () => Promise<{ readonly database: Database; readonly server?: TestDatabase }>,
  tests: (bench: () => Bench) => void,
): void {
  let bench: Bench | undefined;
  beforeAll(async () => {
    const { database, server } = await open();
    bench = {
      database,
      server,
      async run(...statements) {
        for (const statement of statements) await database.query(statement);
      },
      ask: (text, parameters) => database.query(text, parameters),
      async take() {
        const rows = await database.query<Waiting>(
          `WITH gone AS (DELETE FROM sluice.changes RETURNING *)
           SELECT operation::text, old::text, new::text, xact::text, capture, actor, mutation FROM gone ORDER BY id`,
        );
        return rows.map(({ ...row }) => row);
      },
    };
  });
  afterAll(async () => {
    await bench?.database.close();
    await bench?.server?.drop();
  });
  tests(() => {
    if (bench === undefined) throw new Error('the database is not open');
    return bench;
  });
}
