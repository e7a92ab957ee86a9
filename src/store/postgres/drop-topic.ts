/**
 * Dropping a topic.
 *
 * The topic's row gets another id, and its batches stay behind under the old one. So a drop is one small statement, whatever
 * there is to forget, and nothing that is under way meanwhile (an append, a prune, a compaction) can mistake the new log for
 * the old. The old id is written down in the same statement: what a crash leaves behind is freed by the next prune.
 */
import type { Database, Transaction } from './database.ts';

/** Events whose batches are freed in one statement. */
const STEP = 2000;
const MARK = 'dropped:';

const RENEW = `
  WITH old AS (SELECT id FROM sluice.topics WHERE name = $1 FOR UPDATE), renewed AS (
    UPDATE sluice.topics t
    SET id = DEFAULT, incarnation = t.incarnation + 1, latest = 0, oldest = 1, bytes = 0, updated = 0
    FROM old WHERE t.name = $1 RETURNING old.id
  )
  INSERT INTO sluice.meta (name, value) SELECT $2 || id, '' FROM renewed RETURNING name`;

const DROPPED = 'SELECT name FROM sluice.meta WHERE starts_with(name, $1)';

const FREE = `
  WITH step AS MATERIALIZED (SELECT min(last) AS start FROM sluice.batches WHERE topic_id = $1 AND last > $2::bigint), freed AS (
    DELETE FROM sluice.batches WHERE topic_id = $1 AND last >= (SELECT start FROM step)
      AND last < (SELECT start + ${STEP} FROM step)
  )
  SELECT start + ${STEP} - 1 AS reached FROM step WHERE start IS NOT NULL`;

// Two nodes may free at once, and one of them finds nothing left to do while the other is still at it.
const FORGET = `
  DELETE FROM sluice.meta WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM sluice.batches WHERE topic_id = $2)`;

/** See `LogStore.drop`. */
export async function dropTopic(database: Database, topic: string): Promise<void> {
  for (const { name } of await database.query<{ readonly name: string }>(RENEW, [topic, MARK]))
    await free(database, name);
}

/** Begins a topic anew in a transaction. What was there before is freed by the next prune. */
export async function renewTopic(transaction: Transaction, topic: string): Promise<void> {
  await transaction.query(RENEW, [topic, MARK]);
}

/** Frees what drops have left behind. */
export async function freeDropped(database: Database): Promise<void> {
  for (const { name } of await database.query<{ readonly name: string }>(DROPPED, [MARK])) await free(database, name);
}

async function free(database: Database, name: string): Promise<void> {
  const id = Number(name.slice(MARK.length));
  for (let reached: number | undefined = 0; reached !== undefined; ) {
    const [row]: readonly { readonly reached: number }[] = await database.query(FREE, [id, reached]);
    reached = row?.reached;
  }
  await database.query(FORGET, [name, id]);
}
