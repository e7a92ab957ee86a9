/** Postgres inside this process, over PGlite: the embedded default. One connection; the directory belongs to one process. */
import { PGlite } from '@electric-sql/pglite';
import { classify, type Database, type Parameter, type Transaction, type TransactionOptions } from './database.ts';
import { MIGRATION_CONFIG } from './migrations.ts';
import { isUpToDate } from './schema-version.ts';

// PGlite has no background processes, so nobody vacuums; the rule is that of Postgres's own autovacuum.
const UNTIDY = `
  SELECT relname AS table FROM pg_stat_user_tables
  WHERE schemaname = 'sluice' AND greatest(n_dead_tup, n_mod_since_analyze) > 1000 + n_live_tup / 5`;

/**
 * Opens the database and brings the schema up to date.
 * @param directory where the data is kept; absent: in memory
 */
export async function openPglite(directory?: string): Promise<Database> {
  // int8 holds seqs and milliseconds, all below 2^53.
  const parsers = { 20: Number };
  const client =
    directory === undefined ? await PGlite.create({ parsers }) : await PGlite.create(directory, { parsers });
  async function query<Row>(text: string, parameters: readonly Parameter[] = []): Promise<readonly Row[]> {
    try {
      return (await client.query<Row>(text, parameters.slice())).rows;
    } catch (error) {
      throw classify(error);
    }
  }
  async function transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    { isolation = 'read committed' }: TransactionOptions = {},
  ): Promise<Result> {
    try {
      return await client.transaction(async (open) => {
        if (isolation !== 'read committed') await open.exec(`SET TRANSACTION ISOLATION LEVEL ${isolation}`);
        return work({
          query: async <Row>(text: string, parameters: readonly Parameter[] = []) =>
            (await open.query<Row>(text, parameters.slice())).rows,
        });
      });
    } catch (error) {
      throw classify(error);
    }
  }
  try {
    if (!(await isUpToDate(query))) {
      const { drizzle } = await import('drizzle-orm/pglite');
      const { migrate } = await import('drizzle-orm/pglite/migrator');
      await migrate(drizzle(client), MIGRATION_CONFIG);
    }
  } catch (error) {
    await client.close();
    throw error;
  }
  async function tidy(): Promise<void> {
    for (const { table } of await query<{ readonly table: string }>(UNTIDY))
      await query(`VACUUM (ANALYZE) sluice.${table}`);
  }
  return { lanes: 1, query, transaction, tidy, close: () => client.close() };
}
