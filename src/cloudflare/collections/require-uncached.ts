/**
 * Whether what the database answers is what it has now. Hyperdrive caches the answers to queries unless it is told not to, for a minute and
 * more: a reader would be told of a change, ask for the record, and be given the one of before.
 */
import type { Database } from '../../store/postgres/database.ts';

const NOTE =
  'INSERT INTO sluice.meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value';
const READ = 'SELECT value FROM sluice.meta WHERE name = $1';
const FORGET = 'DELETE FROM sluice.meta WHERE name = $1';

/** @throws Error when answers are cached; StoreUnavailable */
export async function requireUncached({ query }: Pick<Database, 'query'>): Promise<void> {
  // Of this look alone: another must not make it look as if nothing were kept.
  const name = `uncached:${crypto.randomUUID()}`;
  const read = async () => (await query<{ readonly value: string }>(READ, [name]))[0]?.value;
  try {
    await query(NOTE, [name, 'before']);
    await read();
    await query(NOTE, [name, 'after']);
    if ((await read()) === 'after') return;
  } finally {
    await query(FORGET, [name]);
  }
  throw new Error(
    'Hyperdrive caches queries. Switch that off: npx wrangler hyperdrive update <id> --caching-disabled true',
  );
}
