/** Collections of a Worker in workerd, on a real database. */
import { SECRET } from '../auth/issuer.ts';
import { cutConnections, openTables, type System, type SystemOptions, signToken } from '../collections/system.ts';
import { type Deployed, deploy } from './deployed.ts';

export interface WorkerSystemOptions extends Omit<SystemOptions, 'collections'> {
  /** The entry, whose collections are those of the tables. */
  readonly entry: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface WorkerSystem extends System {
  readonly deployed: () => Deployed;
}

export async function openWorkerSystem({
  schema,
  captured,
  entry,
  settings,
}: WorkerSystemOptions): Promise<WorkerSystem> {
  const database = await openTables({ schema, captured });
  const faults: unknown[] = [];
  const start = () =>
    deploy({
      entry,
      database: database.url,
      settings: {
        AUTH_SECRET: SECRET,
        LOG_LEVEL: 'error',
        LIMIT_WRITES_PER_SUBJECT: 'none',
        LIMIT_WRITES_PER_ADDRESS: 'none',
        LIMIT_STREAMS_PER_ADDRESS: 'none',
        LIMIT_STREAMS_PER_SUBJECT: 'none',
        CAPTURE_INTERVAL: '100ms',
        ...settings,
      },
      // What is told of a fault besides is indented.
      onLine: (line) => void (/^[\s}]/.test(line) || faults.push(line)),
    });
  let running = await start();
  return {
    sql: database.sql,
    url: database.url,
    faults,
    deployed: () => running,
    // Each request is a node of its own.
    port: () => Number(new URL(running.url).port),
    token: signToken,
    cutConnections: () => cutConnections(database),
    async restartNode() {
      await running.close();
      running = await start();
    },
    async close() {
      await running.close();
      await database.drop();
    },
  };
}
