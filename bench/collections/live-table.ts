/** A table for one measurement, and a server that makes it a live collection. */
import { addCapture, installRowSecurity, removeCapture } from '../../src/collections.ts';
import { connectPostgres } from '../../src/store/postgres/postgres-js.ts';
import { createPostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { MARK, TIME_DIGITS } from '../load/clock.ts';
import type { StreamRequest } from '../load.ts';
import { newTopic } from '../rounds.ts';
import { type SluiceServer, sluiceWith } from '../servers.ts';
import type { VisibilityName } from './definition.ts';

const DEFINITION = 'bench/collections/definition.ts';
/** What stands on the wire between the mark and the time: see `definition.ts`. */
export const BEFORE_TIME = '","at":"'.length;

export interface TableOptions {
  readonly rows: number;
  /** The rows are dealt to so many parts: row `n` is of the part `n % parts`. */
  readonly parts: number;
  readonly visibility: VisibilityName;
}

export interface LiveTable {
  /** The table, its collection and the collection's topic. */
  readonly name: string;
  /** A table of the same form that is not captured. */
  readonly plain: string;
  readonly server: SluiceServer;
  /** The stream of a reader. Without a part, of an admin. */
  streamOf(reader: { readonly part?: number; readonly subject?: number }): Promise<StreamRequest>;
  /** Stops the server, and leaves the outbox as a relay does that is awake: writers need not wake it. */
  stopRelay(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the tables, captures one, and starts the server. */
export async function openTable(url: string, { rows, parts, visibility }: TableOptions): Promise<LiveTable> {
  const name = newTopic().replace(':', '_');
  const plain = `${name}_plain`;
  const database = await connectPostgres({ url });
  const close = async (): Promise<void> => {
    await removeCapture(database, name);
    await database.query(`DROP TABLE IF EXISTS ${name}, ${plain}`);
    await database.close();
  };
  try {
    await createPostgresStore(database);
    const installed = await installRowSecurity(database);
    if (!installed.ok) throw new Error(installed.reason);
    // Half of each page stays free, as for any table that is mostly updated, so that no index has to be.
    for (const each of [name, plain])
      await database.query(`CREATE TABLE ${each} (id int PRIMARY KEY, part int NOT NULL, mark text NOT NULL, at text NOT NULL,
        version int NOT NULL DEFAULT 1) WITH (fillfactor = 50)`);
    for (const each of [name, plain])
      await database.query(
        `INSERT INTO ${each} SELECT n, n % $1::int, $2::text, $3::text FROM generate_series(0, $4::int - 1) n`,
        [parts, MARK, '0'.repeat(TIME_DIGITS), rows],
      );
    await database.query(`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`);
    await database.query(`GRANT SELECT ON ${name} TO authenticated`);
    await database.query(
      `CREATE POLICY reading ON ${name} FOR SELECT TO authenticated
       USING (${visibility === 'by filter' ? 'true' : "part = (auth.jwt() ->> 'part')::int"})`,
    );
    const added = await addCapture(database, name);
    if (!added.ok) throw new Error(added.findings.map(({ message }) => message).join(' '));
    await database.query(`ANALYZE ${name}, ${plain}`);
    const env = { COLLECTIONS: DEFINITION, BENCH_TABLE: name, BENCH_VISIBILITY: visibility };
    const server = await sluiceWith(url, env).start();
    return {
      name,
      plain,
      server,
      async streamOf({ part, subject }) {
        const path = server.streamPath(name);
        if (part === undefined) return { path, headers: server.headers };
        if (subject === undefined) return { path: `${path}?filter=part%3Deq.${part}`, headers: server.headers };
        const token = await server.token({ sub: `${subject}`, part });
        return { path, headers: { Authorization: `Bearer ${token}` } };
      },
      async stopRelay() {
        await server.stop();
        await database.query('UPDATE sluice.relay SET asleep = false');
      },
      async close() {
        await server.stop();
        await close();
      },
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}
