/** Postgres inside this process, over PGlite: the embedded default. One connection; the directory belongs to one process. */
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { classify, type Database, type Parameter } from './database.ts';
import { MIGRATIONS } from './migrations.ts';

/**
 * Opens the database and brings the schema up to date.
 * @param directory where the data is kept; absent: in memory
 */
export async function openPglite(directory?: string): Promise<Database> {
  // int8 holds seqs and milliseconds, all below 2^53.
  const parsers = { 20: Number };
  const client =
    directory === undefined ? await PGlite.create({ parsers }) : await PGlite.create(directory, { parsers });
  await migrate(drizzle(client), {
    migrationsFolder: MIGRATIONS,
    migrationsSchema: 'sluice',
    migrationsTable: 'migrations',
  });
  return {
    lanes: 1,
    async query<Row>(text: string, parameters: readonly Parameter[] = []) {
      try {
        return (await client.query<Row>(text, parameters.slice())).rows;
      } catch (error) {
        throw classify(error);
      }
    },
    close: () => client.close(),
  };
}
