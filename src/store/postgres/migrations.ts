/** The migrations, for drizzle's migrators. */

/** Where they are: the folder `drizzle/` of this package, beside `src/` and `dist/` alike. */
export const MIGRATIONS: string = decodeURIComponent(new URL('../../../drizzle', import.meta.url).pathname);

/** How drizzle's migrators are told of them. */
export const MIGRATION_CONFIG = {
  migrationsFolder: MIGRATIONS,
  migrationsSchema: 'sluice',
  migrationsTable: 'migrations',
};
