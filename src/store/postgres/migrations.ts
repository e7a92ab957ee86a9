/** Where the migrations are: the folder `drizzle/` of this package, beside `src/` and `dist/` alike. */
export const MIGRATIONS: string = decodeURIComponent(new URL('../../../drizzle', import.meta.url).pathname);
