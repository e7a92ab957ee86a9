/** Collections of a Worker in workerd, on a real database. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECRET } from '../auth/issuer.ts';
import { cutConnections, openTables, type System, type SystemOptions, signToken } from '../collections/system.ts';
import { type Pgbouncer, startPgbouncer } from '../support/pgbouncer.ts';
import { freePort } from '../support/server-process.ts';
import { startWorkerProcess } from './worker-process.ts';

export interface WorkerSystemOptions extends Omit<SystemOptions, 'collections'> {
  /** The entry, whose collections are those of the tables. */
  readonly entry: string;
  /** Whether the database is reached through a pool that gives out connections by transaction. */
  readonly pooled?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

/** The Worker and its objects are one process, which is killed when a node is to be restarted. */
export async function openWorkerSystem({
  schema,
  captured,
  entry,
  pooled = false,
  settings,
}: WorkerSystemOptions): Promise<System> {
  const database = await openTables({ schema, captured });
  const pool: Pgbouncer | undefined = pooled ? await startPgbouncer(database.url) : undefined;
  const faults: unknown[] = [];
  const dir = await mkdtemp(join(tmpdir(), 'sluice-collections-'));
  const port = await freePort();
  const env = {
    PORT: `${port}`,
    DIR: dir,
    ENTRY: entry,
    DATABASE: pool?.url ?? database.url,
    AUTH_SECRET: SECRET,
    LOG_LEVEL: 'error',
    LIMIT_WRITES_PER_SUBJECT: 'none',
    LIMIT_WRITES_PER_ADDRESS: 'none',
    LIMIT_STREAMS_PER_ADDRESS: 'none',
    LIMIT_STREAMS_PER_SUBJECT: 'none',
    CAPTURE_INTERVAL: '100ms',
    ...settings,
  };
  const start = () =>
    startWorkerProcess(env, (line) => {
      // What is told of a fault besides is indented; and what the runtime itself says is of an object that a test has ended.
      if (!/^([\s}]|workerd\/|stack:)/.test(line)) faults.push(line);
    });
  let running = await start();
  return {
    sql: database.sql,
    url: database.url,
    faults,
    // Each request is a node of its own.
    port: () => port,
    token: signToken,
    cutConnections: () => cutConnections(database),
    async restartNode() {
      await running.kill();
      running = await start();
    },
    async close() {
      await running.kill();
      await pool?.close();
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
