/** What a Node application adds to `sluice`: Postgres as store and bus, and the whole server. */
export type { PostgresBus, PostgresBusOptions } from '../bus/postgres.ts';
export { createPostgresBus } from '../bus/postgres.ts';
export type { Config, ConfigResult, Mistake, Mode } from '../config/config.ts';
export { readConfig } from '../config/config.ts';
export type { Database } from '../store/postgres/database.ts';
export { openPglite } from '../store/postgres/pglite.ts';
export type { PostgresOptions } from '../store/postgres/postgres-js.ts';
export { connectPostgres } from '../store/postgres/postgres-js.ts';
export type { PostgresStoreOptions } from '../store/postgres/postgres-store.ts';
export { createPostgresStore } from '../store/postgres/postgres-store.ts';
export { createDatabaseSocket } from './database-socket.ts';
export type { RunningServer } from './server.ts';
export { startServer } from './server.ts';
export type { StartErrorCode } from './start-error.ts';
export { StartError } from './start-error.ts';
